package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const manual = "../../../doc/zreplctl.yml.5"

func readManual(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestManualKeys: the page describes every key of a job, and no other.
func TestManualKeys(t *testing.T) {
	text := readManual(t)
	_, jobs, _ := strings.Cut(text, "\n.Ss Jobs\n")
	jobs, _, _ = strings.Cut(jobs, "\n.Ss ")
	_, described, _ := strings.Cut(jobs, "All others may be left out:")
	got := []string{"name", "type"} // in the text before
	for _, m := range regexp.MustCompile(`(?m)^\.It Cm (\S+) :`).FindAllStringSubmatch(described, -1) {
		got = append(got, m[1])
	}
	want := slices.Clone(allKeys)
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("known -, described +:\n%s", d)
	}
	for t2, keys := range keysOf {
		start := strings.Index(jobs, ".It Cm "+string(t2)+"\n")
		if start < 0 {
			t.Errorf("the type %s is not described", t2)
			continue
		}
		entry, _, _ := strings.Cut(jobs[start+1:], "\n.It ")
		for _, key := range keys.must {
			if !strings.Contains(entry, ".Cm "+key) {
				t.Errorf("it is not said that a %s job has %s", t2, key)
			}
		}
	}
}

// TestManualExamples: every example is a configuration without a warning, and
// Encode writes it so that it stays the same.
func TestManualExamples(t *testing.T) {
	example := regexp.MustCompile(`(?ms)^\.\\" zreplctl\.yml\n\.Bd -literal[^\n]*\n(.*?)^\.Ed`)
	found := example.FindAllStringSubmatch(readManual(t), -1)
	types := map[Type]bool{}
	for i, m := range found {
		c, err := Parse([]byte(m[1]), "example", testDefaults)
		if err != nil {
			t.Errorf("example %d: %v", i+1, err)
			continue
		}
		for _, w := range c.Warnings {
			t.Errorf("example %d: warning: %v", i+1, w)
		}
		for _, j := range c.Jobs {
			types[j.Type] = true
		}
		once, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		twice, err := parseText(t, string(once)).Encode()
		if d := cmp.Diff(string(once), string(twice)); err != nil || d != "" {
			t.Errorf("example %d: %v\n%s", i+1, err, d)
		}
	}
	if len(types) != len(Types) {
		t.Errorf("the %d examples show %d of %d types", len(found), len(types), len(Types))
	}
	t.Logf("%d examples", len(found))
}
