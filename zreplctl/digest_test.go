package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const vectors = "../lib/digest/testdata/"

func vector(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vectors, name+".stream"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDigest(t *testing.T) {
	golden, err := os.ReadFile(vectors + "digests")
	if err != nil {
		t.Fatal(err)
	}
	rest := map[string]string{
		"example":    "filesystem,plain,little-endian\t1\t6\t77\ttank/a@s",
		"empty":      "filesystem,plain,little-endian\t0\t0\t77\ttank/a@s",
		"one-by-one": "filesystem,plain,little-endian\t4\t8748\t77\ttank/a@s",
		"by-blocks":  "filesystem,plain,little-endian\t4\t8748\t77\ttank/a@s",
		"big-endian": "filesystem,plain,big-endian\t4\t8748\t77\ttank/a@s",
		"volume":     "volume,plain,little-endian\t1\t132608\t77\ttank/a@s",
		"encrypted":  "filesystem,raw,little-endian\t1\t1536\t77\ttank/a@s",
	}
	for line := range strings.Lines(string(golden)) {
		name, sum, _ := strings.Cut(strings.TrimSpace(line), "\t")
		stdout, stderr, status := zreplctl(t, vector(t, name), "digest")
		if want := sum + "\t" + rest[name] + "\n"; stdout != want || stderr != "" || status != 0 {
			t.Errorf("%s: %q, not %q; %q, %d", name, stdout, want, stderr, status)
		}
	}
}

func TestDigestObjects(t *testing.T) {
	whole := vector(t, "one-by-one")
	stdout, _, status := zreplctl(t, whole, "digest", "-objects")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != 5 || status != 0 {
		t.Fatal(stdout, status)
	}
	for i, number := range []string{"1", "2", "31", "40"} {
		if sum, n, _ := strings.Cut(lines[i], "\t"); n != number || len(sum) != 64 {
			t.Errorf("line %d: %q", i, lines[i])
		}
	}
	if !strings.HasSuffix(lines[4], "\ttank/a@s") {
		t.Error(lines[4])
	}
}

// A stream that is not whole prints no line of a snapshot, and text of a stream
// cannot control the terminal.
func TestDigestRefuses(t *testing.T) {
	whole := vector(t, "example")
	for _, c := range []struct {
		in     string
		args   []string
		want   string
		status int
	}{
		{whole[:len(whole)-1], nil, "ends before its last record", 1},
		{whole[:1000], []string{"-objects"}, "ends before its last record", 1},
		{strings.Replace(whole, "hello", "hallo", 1), nil, "checksums are wrong", 1},
		{whole + whole, nil, "bytes follow", 1},
		{"", nil, "holds nothing", 1},
		{strings.Repeat("text\n", 100), nil, "not a stream of zfs send", 1},
		{whole, []string{"tank/a@s"}, "unexpected argument", 2},
	} {
		stdout, stderr, status := zreplctl(t, c.in, append([]string{"digest"}, c.args...)...)
		if stdout != "" || !strings.Contains(stderr, c.want) || status != c.status {
			t.Errorf("%q, %q (not %q), %d", stdout, stderr, c.want, status)
		}
	}
}
