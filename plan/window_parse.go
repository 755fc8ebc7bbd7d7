package plan

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// WindowError says why a text is no window.
type WindowError struct {
	Zone bool // the zone is what is wrong
	text string
}

func (e *WindowError) Error() string { return e.text }

func noWindow(format string, args ...any) error {
	return &WindowError{text: fmt.Sprintf(format, args...)}
}

const windowExample = `"Tue,Wed 08:00-11:00 Europe/Madrid"`

// ParseWindow reads a window: DAYS HH:MM-HH:MM, further spans of the same form
// behind semicolons, and a zone of the IANA database at the end. DAYS are
// daily, or days and ranges of days (Mon-Fri) separated by commas. A span
// whose end is before its beginning goes into the next day; 24:00 is midnight
// as an end. The error is a *WindowError.
func ParseWindow(text string) (*Window, error) {
	words := strings.Fields(text)
	if len(words) == 0 || !looksLikeZone(words[len(words)-1]) {
		return nil, &WindowError{Zone: true, text: fmt.Sprintf("The window %s names no time zone. Write one of the IANA database at its end, as in %s", quote(text), windowExample)}
	}
	name := words[len(words)-1]
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, &WindowError{Zone: true, text: fmt.Sprintf("There is no time zone %s. Zones are written as in the IANA database, such as Europe/Madrid, America/New_York or UTC", quote(name))}
	}
	w := &Window{Text: text, zone: zone}
	spans := strings.Split(strings.Join(words[:len(words)-1], " "), ";")
	for _, span := range spans {
		s, err := parseWeekly(strings.TrimSpace(span))
		if err != nil {
			return nil, err
		}
		w.spans = append(w.spans, s)
	}
	return w, nil
}

var (
	zoneName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+/-]*$`)
	dayWords  = regexp.MustCompile(`(?i)^(mon|tue|wed|thu|fri|sat|sun)(day|sday|nesday|rsday|urday)?(-[a-z]+)?$|^daily$`)
	clockSpan = regexp.MustCompile(`^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$`)
)

// looksLikeZone keeps a window without a zone from being told that its last
// day is an unknown one.
func looksLikeZone(word string) bool {
	return zoneName.MatchString(word) && !dayWords.MatchString(word)
}

func parseWeekly(text string) (weekly, error) {
	words := strings.Fields(text)
	if len(words) < 2 {
		return weekly{}, noWindow("%s is no span of time. Write days and times, as in %s; the zone stands once, at the end", quote(text), windowExample)
	}
	s := weekly{}
	if err := s.parseTimes(words[len(words)-1]); err != nil {
		return s, err
	}
	return s, s.parseDays(strings.Join(words[:len(words)-1], ""))
}

func (s *weekly) parseTimes(text string) error {
	m := clockSpan.FindStringSubmatch(text)
	if m == nil {
		return noWindow("%s is no span of time. Write HH:MM-HH:MM, such as 08:00-11:00, behind the days", quote(text))
	}
	var ok [2]bool
	s.from, ok[0] = clock(m[1], m[2])
	s.to, ok[1] = clock(m[3], m[4])
	switch {
	case !ok[0] || !ok[1] || s.from == daySeconds:
		return noWindow("%s holds a time that no clock shows. Hours go from 00 to 23 (an end may be 24:00), minutes from 00 to 59", quote(text))
	case s.from == s.to:
		return noWindow("%s is empty: it ends when it begins. For a whole day write 00:00-24:00", quote(text))
	}
	return nil
}

// clock returns seconds since midnight. The digits are at most two each.
func clock(hours, minutes string) (int64, bool) {
	h, m := digits(hours), digits(minutes)
	return (h*60 + m) * 60, h < 24 && m < 60 || h == 24 && m == 0
}

func digits(text string) int64 {
	n := int64(0)
	for _, r := range text {
		n = n*10 + int64(r-'0')
	}
	return n
}

func dayNames() []string { return []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"} }

func (s *weekly) parseDays(text string) error {
	if strings.EqualFold(text, "daily") {
		s.days = [7]bool{true, true, true, true, true, true, true}
		return nil
	}
	for _, part := range strings.Split(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := weekday(first)
		if err != nil {
			return err
		}
		to := from
		if isRange {
			if to, err = weekday(last); err != nil {
				return err
			}
		}
		for day := from; ; day = (day + 1) % 7 {
			s.days[day] = true
			if day == to {
				break
			}
		}
	}
	return nil
}

func weekday(text string) (int, error) {
	for i, name := range dayNames() {
		if strings.EqualFold(text, name) {
			return i, nil
		}
	}
	hint := ""
	for _, name := range dayNames() {
		if len(text) > 3 && strings.EqualFold(text[:3], name) {
			hint = " Did you mean " + quote(name) + "?"
		}
	}
	if hint == "" {
		hint = didYouMean(text, append(dayNames(), "daily"))
	}
	return 0, noWindow("There is no day %s.%s Write Mon, Tue, Wed, Thu, Fri, Sat or Sun, ranges such as Mon-Fri, lists with commas, or daily", quote(text), hint)
}
