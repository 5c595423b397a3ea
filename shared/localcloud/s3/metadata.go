package s3

import (
	"encoding/json"
	"net/http"
	"strings"
)

const (
	metadataPrefix = "X-Amz-Meta-"
	// packedHeader carries everything that an object remembers besides its
	// bytes. gofakes3 adds an overwritten object's metadata to the new one's
	// unless a name occurs in both; one name that is always there leaves it
	// nothing to add.
	packedHeader = "X-Amz-Localcloud-Packed"
	// maxMetadata is S3's limit for user-defined metadata, names and values.
	maxMetadata = 2 << 10
)

// remembered are the request headers that an object gives back as they were.
var remembered = []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires"}

// pack moves what the object shall remember into one header.
func pack(r *http.Request) *problem {
	kept := http.Header{}
	size := 0
	for name, values := range r.Header {
		if !strings.HasPrefix(name, metadataPrefix) && checksums[name] == nil {
			continue
		}
		kept[name] = values
		if strings.HasPrefix(name, metadataPrefix) {
			size += len(name) - len(metadataPrefix) + len(strings.Join(values, ","))
		}
		r.Header.Del(name)
	}
	if size > maxMetadata {
		return &problem{http.StatusBadRequest, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size"}
	}
	for _, name := range remembered {
		if value := r.Header.Get(name); value != "" {
			kept.Set(name, value)
			r.Header.Del(name)
		}
	}
	if kept.Get("Content-Type") == "" {
		kept.Set("Content-Type", "binary/octet-stream") // S3's default
	}
	packed, err := json.Marshal(kept)
	if err != nil {
		return &problem{http.StatusInternalServerError, "InternalError", err.Error()}
	}
	r.Header.Set(packedHeader, string(packed))
	return nil
}

// unpack is the reverse; what was never packed gives no headers.
func unpack(packed string) http.Header {
	kept := http.Header{}
	if err := json.Unmarshal([]byte(packed), &kept); err != nil {
		return http.Header{}
	}
	return kept
}

func userMetadata(headers http.Header) map[string]string {
	metadata := map[string]string{}
	for name, values := range headers {
		if short, ok := strings.CutPrefix(name, metadataPrefix); ok {
			metadata[strings.ToLower(short)] = strings.Join(values, ",")
		}
	}
	return metadata
}
