package s3

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/johannesboyne/gofakes3"
)

// maxBody bounds what one request may store. S3's own bound for a single PUT
// is 5 GiB; objects live in memory here.
const maxBody = 1 << 30

// nvme is the polynomial of CRC-64/NVME, bits reversed as hash/crc64 wants it.
var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// checksums by request header; the values are base64 of the big-endian sum.
var checksums = map[string]func() hash.Hash{
	"X-Amz-Checksum-Crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"X-Amz-Checksum-Crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"X-Amz-Checksum-Crc64nvme": func() hash.Hash { return crc64.New(nvme) },
	"X-Amz-Checksum-Sha1":      sha1.New,
	"X-Amz-Checksum-Sha256":    sha256.New,
}

// prepareBody checks what can be known before the body is read, and arranges
// for its checksums to be verified while it is.
func prepareBody(r *http.Request) *problem {
	name, _ := operation(r)
	if name != "PutObject" && name != "DeleteObjects" {
		return nil
	}
	framed := strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") ||
		strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked")
	switch {
	case framed:
		// gofakes3 would store the framing as part of the object.
		return notImplemented("aws-chunked framing of the body (clients use it over TLS, and for bodies they cannot rewind)")
	case r.ContentLength < 0:
		return &problem{http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header."}
	case r.ContentLength > maxBody:
		return &problem{http.StatusBadRequest, "EntityTooLarge",
			"Your proposed upload exceeds the maximum allowed size (1 GiB in the local cloud)"}
	}
	verified, problem := verify(r)
	if problem != nil {
		return problem
	}
	r.Body = verified
	if name == "PutObject" {
		return pack(r)
	}
	return nil
}

// verify wraps the body so that reading it to the end compares its checksums.
func verify(r *http.Request) (io.ReadCloser, *problem) {
	body := &verifiedBody{body: r.Body}
	for header, make := range checksums {
		value := r.Header.Get(header)
		if value == "" {
			continue
		}
		sum := make()
		expected, err := base64.StdEncoding.DecodeString(value)
		if err != nil || len(expected) != sum.Size() {
			return nil, &problem{http.StatusBadRequest, "InvalidRequest", "Value for " + strings.ToLower(header) + " header is invalid."}
		}
		body.sums = append(body.sums, expectedSum{header, sum, expected})
	}
	// In process, nobody fills this header from the length as net/http does.
	r.Header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	return body, nil
}

type expectedSum struct {
	header   string
	hash     hash.Hash
	expected []byte
}

type verifiedBody struct {
	body io.ReadCloser
	sums []expectedSum
}

// Read passes bytes on; instead of io.EOF it returns a BadDigest error when a
// checksum differs, so that gofakes3 stores nothing.
func (b *verifiedBody) Read(p []byte) (int, error) {
	if b.body == nil {
		return 0, io.EOF
	}
	n, err := b.body.Read(p)
	for _, sum := range b.sums {
		sum.hash.Write(p[:n])
	}
	if err != io.EOF {
		return n, err
	}
	for _, sum := range b.sums {
		if !bytes.Equal(sum.hash.Sum(nil), sum.expected) {
			algorithm := strings.TrimPrefix(strings.ToUpper(sum.header), "X-AMZ-CHECKSUM-")
			return n, gofakes3.ErrorMessagef(gofakes3.ErrBadDigest,
				"The %s you specified did not match the calculated checksum.", algorithm)
		}
	}
	return n, io.EOF
}

// Close closes the body.
func (b *verifiedBody) Close() error {
	if b.body == nil {
		return nil
	}
	return b.body.Close()
}
