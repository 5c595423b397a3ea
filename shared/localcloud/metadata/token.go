package metadata

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strconv"
	"time"
)

const (
	tokenHeader = "X-Aws-Ec2-Metadata-Token"
	ttlHeader   = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	maxTTL      = 6 * 60 * 60 // seconds
)

// issue hands out a session token.
func (s *service) issue(w http.ResponseWriter, r *http.Request) {
	ttl, err := strconv.Atoi(r.Header.Get(ttlHeader))
	switch {
	case r.Method != http.MethodPut:
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	case r.Header.Get("X-Forwarded-For") != "":
		// An open proxy on the server must not become a way to its keys.
		http.Error(w, "Forbidden", http.StatusForbidden)
	case err != nil || ttl < 1 || ttl > maxTTL:
		http.Error(w, "Bad Request", http.StatusBadRequest)
	default:
		w.Header().Set(ttlHeader, strconv.Itoa(ttl))
		token := s.tokens.issue(time.Now().Add(time.Duration(ttl) * time.Second))
		_, _ = w.Write([]byte(token)) // an error means that the client has gone
	}
}

// tokens makes and checks session tokens without remembering any: a token is
// its expiry and a code that only this service can compute.
type tokens struct{ key []byte }

func newTokens() *tokens {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return &tokens{key}
}

func (t *tokens) issue(expires time.Time) string {
	stamp := binary.BigEndian.AppendUint64(nil, uint64(expires.UnixNano()))
	return base64.RawURLEncoding.EncodeToString(append(stamp, t.code(stamp)...))
}

func (t *tokens) valid(token string, now time.Time) bool {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 8+sha256.Size {
		return false
	}
	stamp, code := raw[:8], raw[8:]
	expires := time.Unix(0, int64(binary.BigEndian.Uint64(stamp)))
	return hmac.Equal(code, t.code(stamp)) && now.Before(expires)
}

func (t *tokens) code(stamp []byte) []byte {
	mac := hmac.New(sha256.New, t.key)
	mac.Write(stamp)
	return mac.Sum(nil)
}
