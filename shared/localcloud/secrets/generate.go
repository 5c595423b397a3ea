package secrets

import (
	"encoding/json"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// The characters of generated passwords, by kind.
const (
	lower       = "abcdefghijklmnopqrstuvwxyz"
	upper       = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits      = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

const (
	defaultLength = 32
	maxLength     = 4096
)

// recipe is how a value is made: a password of these kinds of characters, put
// into a JSON object if there is a template for one.
type recipe struct {
	length        int
	kinds         []string
	each          bool // at least one character of every kind
	template, key string
}

func decodeRecipe(p *resource.Reader) recipe {
	r := recipe{
		length: p.Int("PasswordLength", defaultLength), each: p.Bool("RequireEachIncludedType", true),
		template: p.String("SecretStringTemplate"), key: p.String("GenerateStringKey"),
	}
	exclude := p.String("ExcludeCharacters")
	for _, kind := range []struct{ option, characters string }{
		{"ExcludeLowercase", lower}, {"ExcludeUppercase", upper}, {"ExcludeNumbers", digits}, {"ExcludePunctuation", punctuation},
	} {
		left := strings.Map(func(c rune) rune {
			if strings.ContainsRune(exclude, c) {
				return -1
			}
			return c
		}, kind.characters)
		if !p.Bool(kind.option, false) && left != "" {
			r.kinds = append(r.kinds, left)
		}
	}
	if p.Bool("IncludeSpace", false) {
		r.kinds = append(r.kinds, " ")
	}
	return r
}

func (r recipe) equal(other recipe) bool {
	return r.length == other.length && r.each == other.each && r.template == other.template && r.key == other.key &&
		slices.Equal(r.kinds, other.kinds)
}

func (r recipe) check() *wire.Error {
	var object map[string]any
	switch {
	case r.length < 1 || r.length > maxLength, r.each && r.length < len(r.kinds):
		return wire.Errorf("InvalidParameterException", "The password length is not valid: %d", r.length)
	case len(r.kinds) == 0:
		return wire.Errorf("InvalidParameterException", "All characters are excluded from the password.")
	case (r.template == "") != (r.key == ""):
		return wire.Errorf("InvalidParameterException", "SecretStringTemplate and GenerateStringKey belong together.")
	case r.template != "" && json.Unmarshal([]byte(r.template), &object) != nil:
		return wire.Errorf("InvalidParameterException", "SecretStringTemplate is not a JSON object.")
	}
	return nil
}

// make follows the recipe; random gives that many characters without order.
// One of every kind comes first if every kind is required: this is no password
// that guards anything.
func (r recipe) make(random func(n int) string) string {
	noise := random(2 * r.length)
	all := strings.Join(r.kinds, "")
	var b strings.Builder
	for n := range r.length {
		from := all
		if r.each && n < len(r.kinds) {
			from = r.kinds[n]
		}
		b.WriteByte(from[(int(noise[2*n])*97+int(noise[2*n+1]))%len(from)])
	}
	if r.template == "" {
		return b.String()
	}
	object := map[string]any{}
	_ = json.Unmarshal([]byte(r.template), &object) // check has seen that it is one
	object[r.key] = b.String()
	text, err := json.Marshal(object)
	if err != nil {
		return "" // cannot happen: it was JSON before
	}
	return string(text)
}
