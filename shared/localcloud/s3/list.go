package s3

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/johannesboyne/gofakes3"
)

// maxPage is S3's limit for one page of a listing.
const maxPage = 1000

type listResult struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                string
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	KeyCount              int
	MaxKeys               int
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	Contents              []listEntry
	CommonPrefixes        []listPrefix
}

type listEntry struct {
	Key          string
	LastModified string
	ETag         string
	Size         int64
	StorageClass string
}

type listPrefix struct{ Prefix string }

// page is what a listing asks for.
type page struct {
	prefix, delimiter string
	after             string // keys up to this one have been told,
	below             string // and all that start with this common prefix
	max               int
}

func (p page) told(key string) bool {
	return key <= p.after || p.below != "" && strings.HasPrefix(key, p.below)
}

// list answers ListObjectsV2. gofakes3's own answer repeats a common prefix on
// the next page, and calls a page truncated when only keys outside of the
// prefix follow.
func (s *Store) list(w http.ResponseWriter, r *http.Request) {
	bucket, _ := split(r.URL.Path)
	query := r.URL.Query()
	asked, problem := readPage(query)
	if problem != nil {
		s.refuse(w, r, problem)
		return
	}
	// Keys come sorted by their bytes, which is S3's order.
	all, err := s.memory.ListBucket(bucket, gofakesPrefix(asked.prefix), gofakes3.ListBucketPage{})
	if err != nil {
		s.refuse(w, r, noSuchBucket())
		return
	}
	result := asked.cut(all.Contents)
	result.Name = bucket
	result.StartAfter = query.Get("start-after")
	result.ContinuationToken = query.Get("continuation-token")
	if query.Get("encoding-type") == "url" {
		result.encode()
	}
	writeXML(w, http.StatusOK, result)
}

func gofakesPrefix(prefix string) *gofakes3.Prefix {
	return &gofakes3.Prefix{HasPrefix: prefix != "", Prefix: prefix}
}

func readPage(query url.Values) (page, *problem) {
	asked := page{prefix: query.Get("prefix"), delimiter: query.Get("delimiter"), after: query.Get("start-after"), max: maxPage}
	if value := query.Get("max-keys"); value != "" {
		number, err := strconv.Atoi(value)
		if err != nil || number < 0 {
			return page{}, &problem{http.StatusBadRequest, "InvalidArgument", "Provided max-keys not an integer or within integer range"}
		}
		asked.max = min(number, maxPage)
	}
	if token := query.Get("continuation-token"); token != "" {
		decoded, err := base64.URLEncoding.DecodeString(token)
		after, below, ok := strings.Cut(string(decoded), "\x00")
		if err != nil || !ok {
			return page{}, &problem{http.StatusBadRequest, "InvalidArgument", "The continuation token provided is incorrect"}
		}
		asked.after, asked.below = after, below
	}
	return asked, nil
}

// cut makes one page of the sorted keys that carry the prefix.
func (p page) cut(keys []*gofakes3.Content) *listResult {
	result := &listResult{Prefix: p.prefix, Delimiter: p.delimiter, MaxKeys: p.max}
	for _, key := range keys {
		if p.told(key.Key) {
			continue
		}
		if result.KeyCount == p.max {
			result.IsTruncated = p.max > 0
			break
		}
		result.KeyCount++
		p.after, p.below = key.Key, p.group(key.Key)
		if p.below != "" {
			result.CommonPrefixes = append(result.CommonPrefixes, listPrefix{p.below})
			continue
		}
		result.Contents = append(result.Contents, listEntry{
			Key: key.Key, ETag: key.ETag, Size: key.Size, StorageClass: "STANDARD",
			LastModified: key.LastModified.UTC().Format("2006-01-02T15:04:05.000Z"),
		})
	}
	if result.IsTruncated {
		token := p.after + "\x00" + p.below
		result.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(token))
	}
	return result
}

// group is the common prefix that a key is rolled up into: all up to the first
// delimiter after the prefix; "" when the key stands for itself.
func (p page) group(key string) string {
	if p.delimiter == "" {
		return ""
	}
	head, _, found := strings.Cut(key[len(p.prefix):], p.delimiter)
	if !found {
		return ""
	}
	return p.prefix + head + p.delimiter
}

// encode escapes names, for clients that fear characters XML cannot carry.
func (l *listResult) encode() {
	escape := func(name string) string {
		return strings.ReplaceAll(url.QueryEscape(name), "%2F", "/")
	}
	l.EncodingType = "url"
	l.Prefix, l.Delimiter, l.StartAfter = escape(l.Prefix), escape(l.Delimiter), escape(l.StartAfter)
	for i := range l.Contents {
		l.Contents[i].Key = escape(l.Contents[i].Key)
	}
	for i := range l.CommonPrefixes {
		l.CommonPrefixes[i].Prefix = escape(l.CommonPrefixes[i].Prefix)
	}
}
