//go:build race

package fault

const raced = true
