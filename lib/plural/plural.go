// Package plural counts things in words.
package plural

import (
	"strconv"
	"strings"
)

// Of is a number with its noun, which is given in the singular: "1 copy",
// "2 copies", "0 datasets". It knows the regular plurals of English.
func Of(n int, noun string) string {
	if n != 1 {
		noun = many(noun)
	}
	return strconv.Itoa(n) + " " + noun
}

func many(noun string) string {
	stem, ends := strings.CutSuffix(noun, "y")
	if ends && !strings.HasSuffix(stem, "a") && !strings.HasSuffix(stem, "e") {
		return stem + "ies"
	}
	return noun + "s"
}
