package taps

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
)

// TensorWord begins the word for any tensor inside a network, tensor:NAME.
const TensorWord = "tensor:"

// What begins the names of cuts.
const (
	tokensName = "tokens_"
	tensorName = "tensor-"
)

// Cut tells the taps that are a tensor inside the network as it is, of any shape: tokens_k,
// [T,D] after block k (0: before the first), and the names that Tensor gives.
func Cut(tap string) bool {
	_, ok := Block(tap)
	return ok || strings.HasPrefix(tap, tensorName)
}

// Tokens is the name of the tokens after block k.
func Tokens(k int) string { return tokensName + strconv.Itoa(k) }

// Block is the k of tokens_k; ok is false of other taps.
func Block(tap string) (k int, ok bool) {
	digits, found := strings.CutPrefix(tap, tokensName)
	k, err := strconv.Atoi(digits)
	return k, found && err == nil && Tokens(k) == tap && k >= 0
}

// unsafe are the characters of a tensor's name that names of taps have not.
var unsafe = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// nameLength is how much of a tensor's name stands in a tap's, for people.
const nameLength = 60

// Tensor is the name of the tap that is the ONNX tensor, and can be a folder's: tensor-,
// the end of the name, where runs of characters other than letters, digits, _ and - become one -, and eight
// hexadecimal digits of the whole name's SHA-256, which tell it from others.
func Tensor(name string) string {
	sum := sha256.Sum256([]byte(name))
	plain := unsafe.ReplaceAllString(name, "-")
	plain = strings.Trim(plain[max(0, len(plain)-nameLength):], "-")
	return tensorName + plain + "-" + hex.EncodeToString(sum[:4])
}

// Split is the words one by one, where tensor:NAME has become the tap's name.
func Split(words []string) []string {
	var out []string
	for _, w := range strings.Split(strings.Join(words, ","), ",") {
		w = strings.TrimSpace(w)
		if name, ok := strings.CutPrefix(w, TensorWord); ok {
			w = Tensor(name)
		}
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}
