package bake

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
)

// inputsVersion is raised when the way an image is built changes without any of the
// other inputs saying so.
const inputsVersion = 1

// Inputs is everything that decides what is in an image. Equal inputs, equal image:
// the second commit with the same inputs is answered with the first one's image.
//
// Values of BAKE_PARAMETERS are no part of it, since a digest of a short secret can be
// guessed; the version that Parameter Store counts for each of them is.
type Inputs struct {
	Version      int
	Application  string
	Contract     int
	Architecture string
	BaseImage    string // AMI id
	Boot         string // SHA-256 of the boot agent
	Provision    string // path of the script; its content is among the files
	VolumeSize   int
	Parameters   []Parameter
	Files        []Content
}

// Parameter is one parameter of BAKE_PARAMETERS without its value.
type Parameter struct {
	Name    string
	Version int64
}

// Content is one file of the package.
type Content struct {
	Path string
	Mode uint32
	ID   string
}

// Digest names the inputs: 64 hexadecimal digits.
func (i Inputs) Digest() string {
	i.Version = inputsVersion
	sum := sha256.New()
	// Encoding a struct of strings and numbers into a hash cannot fail.
	_ = json.NewEncoder(sum).Encode(i)
	return hexSum(sum)
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// keyDigits is how much of the digest names a bake: 64 bits, so that two different
// inputs of one application meet once in billions of bakes; the tag with the whole
// digest is compared before an image is used.
const keyDigits = 16

// bakeKey names one bake. A bake that refreshes an image that became too old has
// inputs that were baked before; the image it replaces tells it apart, the same for
// every run that looks now.
func bakeKey(inputs, refreshes string) string {
	key := inputs[:keyDigits]
	if refreshes != "" {
		sum := sha256.Sum256([]byte(refreshes))
		key += "-" + hex.EncodeToString(sum[:4])
	}
	return key
}
