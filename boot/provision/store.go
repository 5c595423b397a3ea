package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// store puts objects by presigned URL.
type store struct{ client *http.Client }

// refusal is an answer that another attempt will not change.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

// put uploads body once. Errors never contain the URL: whoever has it can write.
func (s store) put(ctx context.Context, to string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, to, bytes.NewReader(body))
	if err != nil {
		return &refusal{"the upload URL is not valid"}
	}
	response, err := s.client.Do(request)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err
		}
		return err
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	switch code := response.StatusCode; {
	case code < 300:
		return nil
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return fmt.Errorf("%s %s", response.Status, element(string(answer), "Code"))
	default:
		return &refusal{fmt.Sprintf("%s %s", response.Status, element(string(answer), "Code"))}
	}
}

// insist tries until it succeeds, is refused, or the context ends; the pause
// grows from 1 s to 15 s.
func (s store) insist(ctx context.Context, to string, body []byte) error {
	pause := time.Second
	for {
		bounded, cancel := context.WithTimeout(ctx, putBound)
		err := s.put(bounded, to, body)
		cancel()
		var final *refusal
		if err == nil || errors.As(err, &final) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (gave up)", err)
		case <-time.After(pause):
		}
		pause = min(2*pause, 15*time.Second)
	}
}

// element is the text of an XML element; the rest of the error documents of
// S3 repeats the signature and is better not in a log.
func element(doc, name string) string {
	_, rest, _ := strings.Cut(doc, "<"+name+">")
	text, _, _ := strings.Cut(rest, "<")
	return text
}
