package clone

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// mostHistory bounds what is fetched, in bytes: a million commits without their files.
const mostHistory = 512 << 20

// FetchPast is Past as the server knows it: it fetches the commit's whole history, without
// any file of it, by git's protocol (version 0, over HTTP). The clone itself stays as it
// is. The client brings whatever signs in.
func FetchPast(ctx context.Context, client *http.Client, address, of, base string) (Past, error) {
	store := memory.NewStorage()
	if err := fetchCommits(ctx, client, strings.TrimSuffix(address, "/"), of, store); err != nil {
		return Past{}, exit.Unablef("the history of commit %.12s cannot be fetched from %s: %w", of, address, err)
	}
	p, err := past(store, of, base)
	if err == nil && p.Cut {
		err = exit.Unablef("%s has not all of the history of commit %.12s", address, of)
	}
	return p, err
}

// offersFilter finds the word among what a server offers behind its first reference.
var offersFilter = regexp.MustCompile(`\x00[^\n]*\bfilter\b`)

func fetchCommits(ctx context.Context, client *http.Client, address, want string, store *memory.Storage) error {
	offer, err := call(ctx, client, http.MethodGet, address+"/info/refs?service=git-upload-pack", "")
	if err != nil {
		return err
	}
	defer offer.Close()
	refs, err := io.ReadAll(io.LimitReader(offer, 64<<20))
	if err != nil {
		return err
	}
	if !offersFilter.Match(refs) {
		return errors.New("the server sends no commits without their files")
	}
	// Trees are not wanted at any depth, so nothing but commits comes.
	request := packet("want "+want+" filter ofs-delta agent=fearless\n") + packet("filter tree:0\n") + "0000" + packet("done\n")
	answer, err := call(ctx, client, http.MethodPost, address+"/git-upload-pack", request)
	if err != nil {
		return err
	}
	defer answer.Close()
	pack := bufio.NewReader(io.LimitReader(answer, mostHistory))
	const nothingInCommon = "0008NAK\n"
	if said, err := pack.Peek(len(nothingInCommon)); err != nil || string(said) != nothingInCommon {
		words, _ := pack.ReadString('\n')
		return fmt.Errorf("the server says %q", strings.TrimSpace(words))
	}
	_, _ = pack.Discard(len(nothingInCommon)) // it was just peeked at
	return packfile.UpdateObjectStorage(store, pack)
}

// packet is a line of git's protocol: its length in four hexadecimal digits goes first.
func packet(line string) string { return fmt.Sprintf("%04x%s", len(line)+4, line) }

func call(ctx context.Context, client *http.Client, method, address, body string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/x-git-upload-pack-request")
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return nil, fmt.Errorf("the server answers %s", answer.Status)
	}
	return answer.Body, nil
}
