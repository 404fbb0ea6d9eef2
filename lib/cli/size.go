package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a flag whose value is a number of bytes, with an optional unit: K,
// M, G or T, each 1024 times the one before.
type Size int64

func (s *Size) String() string {
	n, unit := int64(*s), ""
	for _, u := range []string{"K", "M", "G", "T"} {
		if n == 0 || n%1024 != 0 {
			break
		}
		n, unit = n/1024, u
	}
	return strconv.FormatInt(n, 10) + unit
}

// Set implements flag.Value.
func (s *Size) Set(text string) error {
	digits, factor := text, int64(1)
	if i := strings.IndexAny(text, "KMGTkmgt"); i >= 0 && i == len(text)-1 {
		digits = text[:i]
		factor = 1 << (10 * (1 + strings.IndexByte("KMGT", strings.ToUpper(text)[i])))
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return fmt.Errorf("not a number of bytes such as 500K or 50M")
	}
	*s = Size(n * factor)
	return nil
}
