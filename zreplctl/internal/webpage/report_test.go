package webpage

import (
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

const evil = `</title></svg><script>alert(1)</script><img src="http://evil/x" onerror=evil()>"'{{.}}` + "\x1b[2J\u202e"

func page(text string) Page {
	now := time.Unix(1_800_000_000, 0)
	age := int64(3600)
	at := progress.At(now.Add(-time.Hour))
	return Page{Host: text, Report: health.Report{Made: progress.At(now), Level: health.Critical, Notes: []string{text},
		Jobs: []health.Job{{Name: text, Type: text, State: health.Failed, Level: health.Critical, Why: text, Warn: 7200, Crit: 86400, Attempt: &at, Error: text,
			Datasets: []health.Dataset{{Client: text, Source: text, Target: text, State: health.Late, Level: health.Warning, Why: text, Snapshot: text, Age: &age, Verified: &at, Differs: text}},
			Clients:  []health.Client{{Name: text, State: health.Never, Error: text}}}}},
		Past:     []job.Past{{Job: text, Client: text, Started: at, Ended: at, Error: text}, {Job: text, Started: at, Killed: true}},
		Pictures: []Picture{{Job: text, Dataset: text, Side: "target", Dots: []Dot{{Age: time.Hour}, {Age: 40 * 365 * 24 * time.Hour, Destroy: true}, {}}}}}
}

// TestNothingForeign: whatever is in names and errors, the page has the same
// elements, no script, and nothing from elsewhere.
func TestNothingForeign(t *testing.T) {
	elements := func(text string) string {
		var b strings.Builder
		if err := Write(&b, page(text)); err != nil {
			t.Fatal(err)
		}
		got := b.String()
		for _, bad := range []string{"<script", "<img", "<iframe", "<link", "<object", "url(", "@import", "\x1b", "\u202e", "ZgotmplZ"} {
			if strings.Contains(strings.ToLower(got), bad) {
				t.Errorf("%q is in the page", bad)
			}
		}
		return strings.Join(regexp.MustCompile(`<[a-z0-9]+`).FindAllString(got, -1), "")
	}
	if plain, hostile := elements("plain"), elements(evil); plain != hostile {
		t.Errorf("the elements of a page with hostile text are\n%s, not\n%s", hostile, plain)
	}
}

// TestWhole: every element ends, and every place in a picture is in it.
func TestWhole(t *testing.T) {
	var b strings.Builder
	if err := Write(&b, page("x")); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(b.String()))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range regexp.MustCompile(` (?:x|cx|x1|x2)="([^"]*)"`).FindAllStringSubmatch(b.String(), -1) {
		if !regexp.MustCompile(`^([0-5]?[0-9]{1,2}|600)(\.[0-9]+)?(e-[0-9]+)?$`).MatchString(m[1]) {
			t.Errorf("a mark at %q", m[1])
		}
	}
	for _, want := range []string{"CRITICAL", "3 snapshots, 2 kept", `class="destroy"`, "runs of the last 30 days", "prefers-color-scheme: dark", "killed", "compared with its source 1h ago"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in the page", want)
		}
	}
}

// TestFailureInFront: no run that went well hides one that failed in the same
// place of the strip, whichever came first.
func TestFailureInFront(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	run := func(ago time.Duration, err string) job.Past {
		at := progress.At(now.Add(-ago))
		return job.Past{Job: "x", Started: at, Ended: at, Error: err, OK: err == ""}
	}
	p := page("x")
	p.Past = []job.Past{run(4*time.Minute, ""), run(3*time.Minute, "broken"), run(2*time.Minute, ""), run(time.Minute, "")}
	strip := view(p).Jobs[0].Strip
	for i, m := range strip {
		if failed := i == len(strip)-1; (m.Class == "failed") != failed {
			t.Errorf("run %d of the strip: %s", i, m.Class)
		}
	}
	if len(strip) != 4 {
		t.Errorf("%d runs", len(strip))
	}
}
