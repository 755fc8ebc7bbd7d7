package plan

import (
	"errors"
	"fmt"
	"math/rand"
	"testing"
	"time"
)

// twinSpan is what the twin below knows of a window.
type twinSpan struct {
	days     [7]bool
	from, to int // minutes since midnight
}

func (s twinSpan) text() string {
	days := ""
	for i, on := range s.days {
		if on {
			days += "," + dayNames()[i]
		}
	}
	return fmt.Sprintf("%s %02d:%02d-%02d:%02d", days[1:], s.from/60, s.from%60, s.to/60, s.to%60)
}

// open looks at one moment as a person does who has a clock and a calendar.
func (s twinSpan) open(at time.Time) bool {
	minute := at.Hour()*60 + at.Minute()
	year, month, day := at.Date()
	today := time.Date(year, month, day, 12, 0, 0, 0, time.UTC).Weekday()
	yesterday := time.Date(year, month, day-1, 12, 0, 0, 0, time.UTC).Weekday()
	if s.from < s.to {
		return s.days[today] && minute >= s.from && minute < s.to
	}
	return s.days[today] && minute >= s.from || s.days[yesterday] && minute < s.to
}

func randomSpan(r *rand.Rand) twinSpan {
	s := twinSpan{from: r.Intn(24 * 60), to: r.Intn(24*60 + 1)}
	if r.Intn(2) == 0 { // near the hours in which clocks change
		s.from, s.to = 30+r.Intn(240), 30+r.Intn(240)
	}
	if s.from == s.to {
		s.to = 24 * 60
	}
	for i := range s.days {
		s.days[i] = r.Intn(3) == 0
	}
	s.days[r.Intn(7)] = true
	return s
}

// TestWindowAgainstTwin compares windows with a twin that walks from minute to
// minute, over the days around changes of the clock.
func TestWindowAgainstTwin(t *testing.T) {
	for zone, changes := range map[string][]string{
		"Europe/Madrid":       {"2026-03-29", "2026-10-25"},
		"America/New_York":    {"2026-03-08", "2026-11-01"},
		"Australia/Lord_Howe": {"2026-04-05", "2026-10-04"}, // by 30 minutes, at +10:30
		"Asia/Kolkata":        {"2026-01-01"},               // +05:30, never
		"UTC":                 {"1970-01-01"},
	} {
		place, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, change := range changes {
			around, err := time.ParseInLocation(time.DateOnly, change, place)
			if err != nil {
				t.Fatal(err)
			}
			for seed := range int64(40) {
				r := rand.New(rand.NewSource(seed))
				spans := []twinSpan{randomSpan(r)}
				text := spans[0].text()
				if r.Intn(2) == 0 {
					spans = append(spans, randomSpan(r))
					text += "; " + spans[1].text()
				}
				w, err := ParseWindow(text + " " + zone)
				if err != nil {
					t.Fatal(err)
				}
				compare(t, r, w, spans, around.AddDate(0, 0, -3), place)
			}
		}
	}
}

// compare walks backwards through 14 days, so that the next turn of each
// minute is known, and asks at some of them.
func compare(t *testing.T, r *rand.Rand, w *Window, spans []twinSpan, from time.Time, zone *time.Location) {
	t.Helper()
	var opens, closes time.Time
	for minute := 14 * 24 * 60; minute >= 0; minute-- {
		at := from.Add(time.Duration(minute) * time.Minute)
		open := false
		for _, s := range spans {
			open = open || s.open(at.In(zone))
		}
		if open {
			opens = at
		} else {
			closes = at
		}
		if w.Open(at) != open {
			t.Fatalf("%s at %s: open is %v, want %v", w.Text, at.In(zone), !open, open)
		}
		if minute > 6*24*60 || r.Intn(29) != 0 {
			continue // a week may pass until the next turn
		}
		// Within the minute the same holds; a turn comes on a full minute.
		in := at.Add(time.Duration(r.Intn(60_000)) * time.Millisecond)
		wantOpen, wantClosed := opens, closes
		if open {
			wantOpen = in
		} else {
			wantClosed = in
		}
		if got := w.Next(in); !got.Equal(wantOpen) {
			t.Fatalf("%s: Next(%s) = %s, want %s", w.Text, in.In(zone), got.In(zone), wantOpen.In(zone))
		}
		if got := w.Closes(in); !got.Equal(wantClosed) && !wantClosed.IsZero() {
			t.Fatalf("%s: Closes(%s) = %s, want %s", w.Text, in.In(zone), got.In(zone), wantClosed.In(zone))
		}
	}
}

// TestWindowForms gives days and times in all their forms.
func TestWindowForms(t *testing.T) {
	for _, test := range []struct{ text, at, next, closes string }{
		{"Tue,Wed 08:00-11:00 Europe/Madrid", "2026-11-22 12:00", "2026-11-24 08:00", "2026-11-22 12:00"},
		{"Tue, wed 8:00-11:00 Europe/Madrid", "2026-11-24 09:30", "2026-11-24 09:30", "2026-11-24 11:00"},
		{"Tue 08:00-11:00 Europe/Madrid", "2026-11-24 11:00", "2026-12-01 08:00", "2026-11-24 11:00"},
		{"Mon-Fri 20:00-06:00 Europe/Madrid", "2026-11-28 05:59", "2026-11-28 05:59", "2026-11-28 06:00"},
		{"Mon-Fri 20:00-06:00 Europe/Madrid", "2026-11-28 06:00", "2026-11-30 20:00", "2026-11-28 06:00"},
		{"FRI-mon 00:00-24:00 Europe/Madrid", "2026-11-25 12:00", "2026-11-27 00:00", "2026-11-25 12:00"},
		{"Fri-Mon 00:00-24:00 Europe/Madrid", "2026-11-28 12:00", "2026-11-28 12:00", "2026-12-01 00:00"},
		{"daily 22:00-00:00 Europe/Madrid", "2026-11-25 23:59", "2026-11-25 23:59", "2026-11-26 00:00"},
		{"Tue 08:00-11:00; Sat 22:00-02:00 Europe/Madrid", "2026-11-25 12:00", "2026-11-28 22:00", "2026-11-25 12:00"},
		{"Sun 02:15-02:45 Europe/Madrid", "2026-03-29 01:00", "2026-04-05 02:15", "2026-03-29 01:00"}, // left out by the clock
		{"Sun 02:30-04:00 Europe/Madrid", "2026-03-29 01:00", "2026-03-29 03:00", "2026-03-29 01:00"}, // opens late
	} {
		w, err := ParseWindow(test.text)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.ParseInLocation("2006-01-02 15:04", test.at, w.zone)
		if err != nil {
			t.Fatal(err)
		}
		show := func(at time.Time) string { return at.In(w.zone).Format("2006-01-02 15:04") }
		if next, closes := show(w.Next(at)), show(w.Closes(at)); next != test.next || closes != test.closes {
			t.Errorf("%s at %s: next %s, closes %s, want %s, %s", test.text, test.at, next, closes, test.next, test.closes)
		}
	}
	always, err := ParseWindow("daily 00:00-24:00 America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	if closes := always.Closes(time.Now()); !closes.IsZero() {
		t.Errorf("a window that is always open closes at %s", closes)
	}
	if never := new(Window); never.Open(time.Now()) || !never.Next(time.Now()).IsZero() {
		t.Error("the zero Window opens")
	}
}

// FuzzWindow gives texts to the parser. What it accepts must have an answer
// for any moment, and never one in the past.
func FuzzWindow(f *testing.F) {
	for _, text := range []string{"Tue,Wed 08:00-11:00 Europe/Madrid", "daily 22:00-02:00 UTC", "Fri-Mon 00:00-24:00; Tue 1:00-2:00 Africa/Casablanca", ";;", "x UTC", "Mon- 1:1-1:2 UTC"} {
		f.Add(text, int64(1_790_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		w, err := ParseWindow(text)
		var wrong *WindowError
		if errors.As(err, &wrong) != (err != nil) || (w == nil) != (err != nil) {
			t.Fatalf("%q: %v, %v", text, w, err)
		}
		if w == nil {
			return
		}
		at := time.Unix(unix%100_000_000_000, 0)
		next, closes := w.Next(at), w.Closes(at)
		if next.Before(at) || !w.Open(next) {
			t.Errorf("%q: Next(%s) = %s", text, at, next)
		}
		if !closes.IsZero() && (closes.Before(at) || w.Open(closes)) {
			t.Errorf("%q: Closes(%s) = %s", text, at, closes)
		}
	})
}
