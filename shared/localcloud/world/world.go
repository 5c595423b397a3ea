// Package world holds the facts that the services of one local cloud share:
// the account, the region, how long things take, the source of ids, and the
// rules for tags.
package world

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
)

// World is one account in one region.
type World struct {
	Account string
	Region  string
	Timing  Timing

	seed uint64

	mu     sync.Mutex
	counts map[string]uint64
}

// New makes a world. Two worlds with the same seed hand out the same ids in
// the same order, so that a failing run can be repeated.
func New(account, region string, timing Timing, seed uint64) *World {
	return &World{Account: account, Region: region, Timing: timing, seed: seed, counts: map[string]uint64{}}
}

// ID is a fresh resource id such as i-0a1b2c3d4e5f60718: the prefix, a zero
// and 16 hex digits, which is what EC2 hands out since 2016. Every prefix
// counts for itself, so that one kind of resource does not disturb another's.
func (w *World) ID(prefix string) string {
	sum := w.next(prefix)
	return prefix + "-0" + hex.EncodeToString(sum[:8])
}

// UUID is a fresh UUID, as request ids and many names have one.
func (w *World) UUID(kind string) string {
	sum := w.next("uuid " + kind)
	h := hex.EncodeToString(sum[:16])
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", h[0:8], h[8:12], h[13:16], h[17:20], h[20:32])
}

// Key is a fresh string of n upper case letters and digits, for access keys
// and unique ids of roles.
func (w *World) Key(kind string, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	key := make([]byte, 0, n)
	for len(key) < n {
		for _, b := range w.next("key " + kind) {
			key = append(key, alphabet[b%32])
		}
	}
	return string(key[:n])
}

// ARN names a resource of this account. IAM and STS are global: their names
// carry no region.
func (w *World) ARN(service, resource string) string {
	region := w.Region
	if service == "iam" || service == "sts" {
		region = ""
	}
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, region, w.Account, resource)
}

func (w *World) next(kind string) [sha256.Size]byte {
	w.mu.Lock()
	w.counts[kind]++
	n := w.counts[kind]
	w.mu.Unlock()

	var numbers [16]byte
	binary.BigEndian.PutUint64(numbers[:8], w.seed)
	binary.BigEndian.PutUint64(numbers[8:], n)
	return sha256.Sum256(append(numbers[:], kind...))
}
