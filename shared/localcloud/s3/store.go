// Package s3 is the object store of the local cloud: buckets and objects in
// memory, spoken to over S3's REST protocol with path-style addresses.
//
// Storage and the wire format of single objects are gofakes3's. This package
// decides what may reach it, and corrects what it gets wrong: expired
// presigned URLs, checksums, pages of a listing, metadata of an overwritten
// object. Signatures are not verified; any key may sign.
package s3

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// Store holds the buckets of one account. It answers requests as an
// http.Handler and may be used by several goroutines. Paths must reach it
// uncleaned (not through a ServeMux), since keys may contain "//".
type Store struct {
	memory   *s3mem.Backend
	server   http.Handler
	requests atomic.Uint64
}

// Object is one stored object, for assertions in tests.
type Object struct {
	Body        []byte
	ContentType string
	Metadata    map[string]string // x-amz-meta-*, names in lower case
	Modified    time.Time
}

// New makes a store without buckets. It starts no goroutine and opens no
// socket, so it works under simulated time.
func New() *Store {
	memory := s3mem.New()
	// The metadata limit is checked here, because what is handed over is
	// packed and therefore longer than what the client sent.
	server := gofakes3.New(memory, gofakes3.WithoutVersioning(), gofakes3.WithMetadataSizeLimit(0))
	return &Store{memory: memory, server: server.Server()}
}

// CreateBucket adds an empty bucket; one that exists stays as it is.
func (s *Store) CreateBucket(name string) {
	// "Exists already" is the only error that the memory backend knows.
	_ = s.memory.CreateBucket(name)
}

// Objects returns every object of a bucket by key; nil when there is no such
// bucket.
func (s *Store) Objects(bucket string) map[string]Object {
	list, err := s.memory.ListBucket(bucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		return nil
	}
	objects := make(map[string]Object, len(list.Contents))
	for _, entry := range list.Contents {
		stored, err := s.memory.GetObject(bucket, entry.Key, nil)
		if err != nil {
			continue // deleted meanwhile
		}
		body, err := io.ReadAll(stored.Contents)
		if err != nil {
			continue // cannot happen: the reader is a slice
		}
		headers := unpack(stored.Metadata[packedHeader])
		objects[entry.Key] = Object{
			Body:        body,
			ContentType: headers.Get("Content-Type"),
			Metadata:    userMetadata(headers),
			Modified:    entry.LastModified.Time,
		}
	}
	return objects
}

// ServeHTTP answers one S3 request.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = r.Clone(r.Context()) // headers are rewritten below
	if problem := s.admit(r); problem != nil {
		s.refuse(w, r, problem)
		return
	}
	if name, _ := operation(r); name == "ListObjectsV2" {
		s.list(w, r)
		return
	}
	answer := &reply{ResponseWriter: w, request: r}
	s.server.ServeHTTP(answer, r)
	answer.WriteHeader(http.StatusOK) // gofakes3 says nothing when all is well and there is no body
}

// admit makes a request ready for gofakes3, or says why it cannot be served.
func (s *Store) admit(r *http.Request) *problem {
	now := time.Now()
	for _, check := range []func() *problem{
		func() *problem { return authorized(r, now) },
		func() *problem { return served(r) },
		func() *problem { return s.exists(r) },
		func() *problem { return s.preconditions(r) },
		func() *problem { return prepareBody(r) },
	} {
		if problem := check(); problem != nil {
			return problem
		}
	}
	return nil
}

// exists answers for missing buckets and keys, since gofakes3 leaves the
// message out.
func (s *Store) exists(r *http.Request) *problem {
	bucket, key := split(r.URL.Path)
	if found, _ := s.memory.BucketExists(bucket); !found {
		return noSuchBucket()
	}
	name, _ := operation(r)
	mustExist := name == "GetObject" || name == "HeadObject" ||
		name == "PutObject" && r.Header.Get("If-Match") != ""
	if !mustExist {
		return nil
	}
	if _, err := s.memory.HeadObject(bucket, key); err != nil {
		return &problem{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."}
	}
	return nil
}

func noSuchBucket() *problem {
	return &problem{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
}
