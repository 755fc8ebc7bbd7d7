package plan

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"
	"time"
)

var (
	durationPart = regexp.MustCompile(`^(\d{1,18}(?:\.\d{1,9})?)(ms|[smhdw])`)
	bytesWhole   = regexp.MustCompile(`^(\d{1,18}(?:\.\d{1,9})?) ?([A-Za-z]+)$`)
)

// ParseDuration reads "90s", "2h", "1d12h" or "1.5h". Unlike Go's own it knows
// d (24h) and w, and refuses signs and bare numbers, since nobody can tell
// which unit those mean. The result is at least 0 and a whole number of
// nanoseconds.
func ParseDuration(text string) (time.Duration, error) {
	rest := text
	total := new(big.Rat)
	last := int64(math.MaxInt64)
	for rest != "" || text == "" {
		m := durationPart.FindStringSubmatch(rest)
		if m == nil {
			return 0, fmt.Errorf("%s is not a duration: write a number and a unit (ms, s, m, h, d, w), such as \"90s\", \"2h\" or \"1d12h\"", quote(text))
		}
		unit := durationUnit(m[2])
		if unit >= last {
			return 0, fmt.Errorf("%s is not a duration: units go from large to small, each once, such as \"1d12h\"", quote(text))
		}
		last = unit
		n, _ := new(big.Rat).SetString(m[1])
		total.Add(total, n.Mul(n, new(big.Rat).SetInt64(unit)))
		rest = rest[len(m[0]):]
	}
	if !total.IsInt() || !total.Num().IsInt64() {
		return 0, fmt.Errorf("%s is too long or too fine for a duration", quote(text))
	}
	return time.Duration(total.Num().Int64()), nil
}

// durationText writes a duration as ParseDuration reads it: "1d12h", "90s" as
// "1m30s". Less than a millisecond is left out.
func durationText(d time.Duration) string {
	text := ""
	for _, unit := range []string{"d", "h", "m", "s", "ms"} {
		size := time.Duration(durationUnit(unit))
		if n := d / size; n > 0 {
			text += fmt.Sprintf("%d%s", n, unit)
			d -= n * size
		}
	}
	if text == "" {
		return "0s"
	}
	return text
}

func durationUnit(unit string) int64 {
	switch unit {
	case "ms":
		return int64(time.Millisecond)
	case "s":
		return int64(time.Second)
	case "m":
		return int64(time.Minute)
	case "h":
		return int64(time.Hour)
	case "d":
		return 24 * int64(time.Hour)
	default:
		return 7 * 24 * int64(time.Hour)
	}
}

// ParseBytes reads "80MiB", "1.5GiB", "100MB" or "512B" into bytes. MiB is
// 2^20, MB is 10^6 (IEC 80000-13); a bare M is refused, since people mean
// either by it.
func ParseBytes(text string) (int64, error) {
	const help = "write a number and a unit (B, KiB, MiB, GiB, TiB, PiB, or kB, MB, GB, TB, PB for powers of 1000), such as \"80MiB\""
	m := bytesWhole.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%s is not an amount of bytes: %s", quote(text), help)
	}
	factor, ok := byteUnit(m[2])
	if !ok {
		return 0, fmt.Errorf("%s has no known unit: %s", quote(text), help)
	}
	n, _ := new(big.Rat).SetString(m[1])
	n.Mul(n, new(big.Rat).SetInt(factor))
	if !n.IsInt() {
		return 0, fmt.Errorf("%s is not a whole number of bytes", quote(text))
	}
	if !n.Num().IsInt64() {
		return 0, fmt.Errorf("%s is more than kplan can count", quote(text))
	}
	return n.Num().Int64(), nil
}

func byteUnit(unit string) (*big.Int, bool) {
	if unit == "B" {
		return big.NewInt(1), true
	}
	power := strings.IndexByte("KMGTP", upper(unit[0])) + 1
	switch {
	case power == 0:
		return nil, false
	case unit[1:] == "iB" && unit[0] != 'k':
		return new(big.Int).Lsh(big.NewInt(1), uint(10*power)), true
	case unit[1:] == "B" && (unit[0] < 'a' || unit[0] == 'k'):
		return new(big.Int).Exp(big.NewInt(1000), big.NewInt(int64(power)), nil), true
	}
	return nil, false
}

func upper(b byte) byte {
	if b >= 'a' && b <= 'z' {
		return b - 'a' + 'A'
	}
	return b
}
