package console_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/console"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// readable makes escape sequences visible in golden files and messages.
func readable(s string) string { return strings.ReplaceAll(s, "\x1b", "␛") }

func TestLook(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := console.New(&log, true)
	c.Info("account %s", "111122223333")
	c.Warn("two lines:\nthe second")
	c.Success("baked %s", "ami-1")
	c.Fail("bake: no such image\nthe name was 100%%")
	c.Debug("details")
	c.Heading("Provision")
	c.Plain("  a  b\n  c  d")
	c.Output("i-0abc", "Reading packages\n\nDone\n")
	c.Output("", "no label")
	c.Output("i-0abc", "\x1b[32mgreen\x1b[0m, \x1b[2J\x1b]0;title\x07cleared, \x1b(Bfont, bell\x07, \x1b[31mred")
	c.Output("pip", "10%\r 50%\r100%\r\nkept\r\n")
	c.Output("nothing", "")
	golden(t, "look.txt", readable(log.String()))
}

func TestDebugIsQuiet(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	console.New(&log, false).Debug("details")
	if log.Len() != 0 {
		t.Errorf("printed %q", log.String())
	}
}

func TestControlSequences(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                          "plain",
		"tab\tstays":                     "tab\tstays",
		"\x1b[1;31mred\x1b[m":            "␛[1;31mred␛[m",
		"\x1b[38:5:12mblue":              "␛[38:5:12mblue",
		"\x1b[?25lhidden cursor":         "hidden cursor",
		"\x1b[>4;1mxterm keys":           "xterm keys",
		"\x1b]8;;http://x\x1b\\link":     "link",
		"\x1b]0;unfinished title":        "",
		"\x1bPq#0;sixel\x1b\\after":      "after",
		"lone escape \x1b":               "lone escape ",
		"null\x00, c1 \u009b31m":         "null, c1 31m",
		"backspace\b\b":                  "backspace",
		"a\rb":                           "b",
		"a\r":                            "a",
		"umlaut ä, check ✔":              "umlaut ä, check ✔",
		"\x1b[31\x1b[32mbroken sequence": "31␛[32mbroken sequence",
	} {
		var log bytes.Buffer
		console.New(&log, false).Plain("%s", in)
		if got := strings.TrimSuffix(readable(log.String()), "\n"); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestMaskForms writes random secrets in every form that is promised and
// looks for each of them in the log.
func TestMaskForms(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	letters := []rune("abcXYZ019+/=&?<>\"'\\ \t%ä☂$`{}")
	for range 300 {
		var secret []rune
		for range 8 + random.IntN(40) {
			secret = append(secret, letters[random.IntN(len(letters))])
		}
		value := "s" + string(secret) + "t"
		quoted, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		forms := map[string]string{
			"plain":      value,
			"query":      url.QueryEscape(value),
			"path":       url.PathEscape(value),
			"base64":     base64.StdEncoding.EncodeToString([]byte(value)),
			"base64 raw": base64.RawStdEncoding.EncodeToString([]byte(value)),
			"base64 url": base64.URLEncoding.EncodeToString([]byte(value)),
			"json":       string(quoted[1 : len(quoted)-1]),
		}
		var log bytes.Buffer
		c := console.New(&log, true)
		c.Mask(value)
		for name, form := range forms {
			log.Reset()
			c.Info("before %s after", form)
			c.Output("label", "x"+form+"y")
			c.Heading("%s", form)
			c.Fail("first\n%s", form)
			if core := strings.TrimRight(form, "="); strings.Contains(log.String(), core) {
				t.Fatalf("%q as %s is readable in %q", value, name, log.String())
			}
			if !strings.Contains(log.String(), "before ***") || !strings.Contains(log.String(), "x***") {
				t.Fatalf("%q as %s: %q", value, name, log.String())
			}
		}
	}
}

func TestMaskBasicAuthorization(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"u", "us", "use", "user"} {
		var log bytes.Buffer
		c := console.New(&log, false)
		c.Mask("correct-horse-battery")
		header := base64.StdEncoding.EncodeToString([]byte(user + ":correct-horse-battery"))
		c.Plain("Authorization: Basic %s", header)
		plain, _, _ := strings.Cut(strings.TrimPrefix(log.String(), "Authorization: Basic "), "***")
		left, err := base64.RawStdEncoding.DecodeString(plain[:len(plain)/4*4])
		if err != nil || !strings.HasPrefix(user+":corr", string(left)) || !strings.Contains(log.String(), "***") {
			t.Errorf("user %q: %q tells %q (%v)", user, log.String(), left, err)
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	key := "-----BEGIN KEY-----\r\nMIIabcdefgh\r\n  ijklmnop==\r\n}\r\n"
	for name, c := range map[string]struct {
		secrets []string
		in, out string
	}{
		"short values stay":          {[]string{"abc", "", "   "}, "abc is no secret", "abc is no secret"},
		"every occurrence":           {[]string{"hunter22"}, "hunter22 and hunter22", "*** and ***"},
		"adjacent ones are one":      {[]string{"hunter22"}, "hunter22hunter22", "***"},
		"overlapping secrets":        {[]string{"abcdEFGH", "EFGHijkl"}, "<abcdEFGHijkl>", "<***>"},
		"one within another":         {[]string{"abcdefgh", "cdef"}, "<abcdefgh>", "<***>"},
		"overlapping itself":         {[]string{"ababab"}, "<abababab>", "<***>"},
		"longer secret wins":         {[]string{"token", "token-long"}, "token-long", "***"},
		"pasted with a line end":     {[]string{"hunter22\n"}, "hunter22", "***"},
		"lines of a key":             {[]string{key}, "got MIIabcdefgh and ijklmnop== }", "got *** and *** }"},
		"key on one line":            {[]string{key}, "MIIabcdefgh   ijklmnop==", "***   ***"},
		"key in json":                {[]string{"ab\ncd"}, `{"key": "ab\ncd"}`, `{"key": "***"}`},
		"colours inside":             {[]string{"hunter22"}, "hun\x1b[31mter22 \x1b[1mbold", "*** bold"},
		"colours around":             {[]string{"hunter22"}, "\x1b[31mhunter22\x1b[0m", "␛[31m***␛[0m"},
		"control characters inside":  {[]string{"hunter22"}, "hun\x00ter\x1b[2J22", "***"},
		"lower case percent":         {[]string{"a/b+c=d"}, "a%2fb%2bc%3dd", "***"},
		"ends in a quote":            {[]string{`say "yes"`}, `{"k":"say \"yes\""}`, `{"k":"***"}`},
		"secret with an escape code": {[]string{"abc\x1b[2Jdefg"}, "abc\x1b[2Jdefg", "***"},
	} {
		var log bytes.Buffer
		to := console.New(&log, false)
		masker := to.Masker()
		to.Mask(c.secrets...)
		to.Plain("%s", c.in)
		if got := strings.TrimSuffix(readable(log.String()), "\n"); got != c.out {
			t.Errorf("%s: %q, want %q", name, got, c.out)
		}
		if c.out == "***" && !strings.ContainsAny(c.in, "\x1b\x00") && masker(c.in) != "***" {
			t.Errorf("%s: the masker gives %q", name, masker(c.in))
		}
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := console.New(&log, false).Progress("image ami-1")
		p.Update("pending")
		for range 30 { // two and a half minutes of polling every 5 seconds
			<-time.After(5 * time.Second) // simulated
			p.Update("pending")
		}
		for done := range int64(101) {
			p.Percent(done, 200)
		}
		p.Percent(150, 200)
		p.Percent(10, 200)
		p.Percent(1, 0)
		p.Percent(201, 200)
		p.Update("available")
		p.Done("available in %s", "eu-west-1")
		golden(t, "progress.txt", readable(log.String()))
	})
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for in, want := range map[time.Duration]string{
		0:                      "0 ms",
		850 * time.Millisecond: "850 ms",
		999*time.Millisecond + 600*time.Microsecond:            "1.0 s",
		4200 * time.Millisecond:                                "4.2 s",
		59_960 * time.Millisecond:                              "1m 00s",
		80 * time.Second:                                       "1m 20s",
		59*time.Minute + 59*time.Second + 700*time.Millisecond: "1h 00m",
		2*time.Hour + 5*time.Minute:                            "2h 05m",
		49 * time.Hour:                                         "49h 00m",
		-3 * time.Second:                                       "-3.0 s",
	} {
		if got := console.Duration(in); got != want {
			t.Errorf("%v: %q, want %q", in, got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	for in, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 1520: "1.5 kB", 9990: "10 kB", 999_600: "1.0 MB",
		20_400_000: "20 MB", 8 << 30: "8.6 GB", 1 << 62: "4.6 EB", -1500: "-1.5 kB",
	} {
		if got := console.Bytes(in); got != want {
			t.Errorf("%d: %q, want %q", in, got, want)
		}
	}
}

// TestConcurrentLines needs the race detector to be worth its name.
func TestConcurrentLines(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := console.New(&log, false)
	p := c.Progress("subject")
	var wait sync.WaitGroup
	for n := range 20 {
		wait.Go(func() {
			c.Mask(fmt.Sprintf("secret-%d", n))
			c.Output("worker", "one\ntwo")
			p.Update("%d", n)
		})
	}
	wait.Wait()
	for line := range strings.Lines(log.String()) {
		if !strings.HasSuffix(line, "one\n") && !strings.HasSuffix(line, "two\n") && !strings.Contains(line, "subject: ") {
			t.Errorf("lines are mixed: %q", line)
		}
	}
	if got := strings.Count(log.String(), "\n"); got != 60 {
		t.Errorf("%d lines, want 60", got)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
