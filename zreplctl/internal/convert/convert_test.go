package convert_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/convert"
)

// converters are by the directory of their examples.
var converters = map[string]func([]byte) (*convert.Result, error){
	"zrepl":   convert.Zrepl,
	"sanoid":  convert.Sanoid,
	"syncoid": func(text []byte) (*convert.Result, error) { return convert.Syncoid(string(text)) },
}

func examples(t testing.TB, each func(kind, path string, text []byte)) {
	t.Helper()
	for kind := range converters {
		paths, err := filepath.Glob("testdata/" + kind + "/*")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, path := range paths {
			if filepath.Ext(path) == ".want" {
				continue
			}
			n++
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			each(kind, path, text)
		}
		if n < 2 {
			t.Fatalf("%d examples of %s", n, kind)
		}
	}
}

func checked(t *testing.T, name string, res *convert.Result, err error) *config.Config {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	c, err := config.Parse(res.YAML, name, config.SystemDefaults())
	if err != nil {
		t.Fatalf("%s: what was made is wrong: %v\n%s", name, err, res.YAML)
	}
	return c
}

// TestExamples: each example becomes what its .want says, which is a valid
// configuration. $UPDATE writes the .want anew.
func TestExamples(t *testing.T) {
	examples(t, func(kind, path string, text []byte) {
		res, err := converters[kind](text)
		checked(t, path, res, err)
		got := string(res.YAML) + "\n---\n"
		for _, n := range res.Notes {
			got += fmt.Sprintf("%d: %s\n", n.Line, n.Text)
		}
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(path+".want", []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path + ".want")
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s becomes\n%s\nnot\n%s", path, got, want)
		}
	})
}

// TestNotesAreComments: whatever a person is told stands in the file, too.
func TestNotesAreComments(t *testing.T) {
	examples(t, func(kind, path string, text []byte) {
		res, err := converters[kind](text)
		if err != nil {
			t.Fatal(err)
		}
		var comments []string
		for line := range strings.Lines(string(res.YAML)) {
			if comment, is := strings.CutPrefix(strings.TrimSpace(line), "#"); is {
				comments = append(comments, strings.TrimSpace(comment))
			}
		}
		all := strings.Join(comments, " ")
		for _, n := range res.Notes {
			if !strings.Contains(all, n.Text) {
				t.Errorf("%s: the note %q is no comment", path, n.Text)
			}
		}
	})
}

// data are the dictionaries of zrepl whose keys are names and no settings.
var data = map[string]bool{"filesystems": true, "clients": true, "override": true, "hooks": true} // hooks are noted as a whole

// TestUnknownKeys: a key that nobody knows, in any dictionary of a file, is
// noted with its line.
func TestUnknownKeys(t *testing.T) {
	examples(t, func(kind, path string, text []byte) {
		if kind != "zrepl" {
			return
		}
		count := 0
		for at := 0; ; at++ {
			var root yaml.Node
			if err := yaml.Unmarshal(text, &root); err != nil {
				t.Fatal(err)
			}
			left := at
			where, ok := inject(&root, "", &left)
			if !ok {
				break
			}
			count++
			changed, err := yaml.Marshal(&root)
			if err != nil {
				t.Fatal(err)
			}
			res, err := convert.Zrepl(changed)
			if err != nil {
				t.Fatal(err)
			}
			line := 1 + strings.Count(string(changed[:strings.Index(string(changed), "zzz")]), "\n")
			found := false
			for _, n := range res.Notes {
				found = found || strings.Contains(n.Text, "zzz") && n.Line <= line && n.Line >= line-12 && n.Line > 0
			}
			if !found {
				t.Errorf("%s: zzz in %s, line %d, is not noted: %v", path, where, line, res.Notes)
			}
		}
		if count < 10 {
			t.Errorf("%s: %d dictionaries", path, count)
		}
	})
}

// inject adds a key to the dictionary with number left, and says where.
func inject(n *yaml.Node, where string, left *int) (string, bool) {
	if n.Kind == yaml.MappingNode && !data[where] {
		if *left == 0 {
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "zzz"}, &yaml.Node{Kind: yaml.ScalarNode, Value: "1"})
			return where, true
		}
		*left--
	}
	for i, sub := range n.Content {
		at := where
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			at = n.Content[i-1].Value
		}
		if found, ok := inject(sub, at, left); ok {
			return found, true
		}
	}
	return "", false
}

// TestNothingMoreIsDestroyed: a policy that cannot be read is not taken over, and
// a rule that counts some snapshots of the job keeps its regex.
func TestNothingMoreIsDestroyed(t *testing.T) {
	const job = `jobs:
- name: s
  type: snap
  filesystems: {"tank<": true}
  snapshotting: {type: periodic, prefix: zrepl_, interval: 10m}
  pruning: {keep: [%s]}
`
	for rules, keeps := range map[string]any{
		`{type: grid, grid: 24x1h, regex: "^zrepl_"}`:                                   true,
		`{type: grid, grid: 24x1h, regex: "^zrepl_.*"}`:                                 true,
		`{type: grid, grid: 24x1h, regex: "^zrepl_.*$"}`:                                true,
		`{type: grid, grid: 24x1h, regex: ".*"}`:                                        true,
		`{type: grid, grid: 24x1h, regex: "^zre"}`:                                      true,
		`{type: last_n, count: 5}`:                                                      true,
		`{type: grid, grid: 24x1h, regex: "^zrepl_daily_"}`:                             "grid 24x1h of ^zrepl_daily_",
		`{type: grid, grid: 24x1h, regex: "^manual_"}`:                                  "grid 24x1h of ^manual_",
		`{type: grid, grid: 24x1h, regex: "^zrepl_$"}`:                                  "grid 24x1h of ^zrepl_$",
		`{type: grid, grid: 24x1h, regex: "_(hourly|daily)$"}`:                          "grid 24x1h of _(hourly|daily)$",
		`{type: grid, grid: 24x1h, regex: "("}`:                                         false,
		`{type: grid, grid: 24x1h, regex: "@zrepl_"}`:                                   false,
		`{type: regex, regex: "/tank"}, {type: last_n, count: 5}`:                       false,
		`{type: grid, grid: 24 hours, regex: "^zrepl_"}`:                                false,
		`{type: last_n, count: 0}`:                                                      false,
		`{type: last_n, count: 5, regex: "^a"}, {type: grid, grid: 24x1h, regex: ".*"}`: "last_n 5 of ^a; grid 24x1h",
		`{type: regex, regex: "("}`:                                                     false,
		`{type: step_holds}`:                                                            false,
		`{type: last_n, count: 5}, {type: regex, regex: ".*"}`:                          false,
		`{type: last_n, count: 5}, {type: regex, negate: true, regex: "^zrepl_"}`:       true,
		``: false,
	} {
		res, err := convert.Zrepl([]byte(fmt.Sprintf(job, rules)))
		c := checked(t, rules, res, err)
		p := c.Jobs[0].Prune
		want, text := keeps.(string)
		switch {
		case text && (p == nil || p.String() != want):
			t.Errorf("%s: %v\n%s", rules, p, res.YAML)
		case !text && (p != nil) != keeps || !text && p != nil && strings.Contains(p.String(), " of "):
			t.Errorf("%s: a policy: %v\n%s", rules, p, res.YAML)
		}
		// What no rule counts stays, which zrepl would destroy.
		leaves := text && !strings.HasSuffix(want, "; grid 24x1h")
		if noted := strings.Contains(fmt.Sprint(res.Notes), "keeps snapshots that match no regex of its rules grid and last_n"); noted != leaves {
			t.Errorf("%s: %v", rules, res.Notes)
		}
	}
}

// TestHostile: what is no configuration, or made to do harm, ends with an
// error, or in comments.
func TestHostile(t *testing.T) {
	bomb := "a: &a [" + strings.Repeat("x,", 200) + "]\n"
	for i := range 8 {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", 'b'+i, 'b'+i, strings.Repeat(fmt.Sprintf("*%c,", 'a'+i), 200))
	}
	job := "\n- &j {name: n, type: sink, root_fs: " + strings.Repeat("x", 100_000) + ", serve: {type: stdinserver, client_identities: [a]}}"
	for name, c := range map[string]struct{ kind, text, err string }{
		"empty":           {"zrepl", "", "it is empty"},
		"list":            {"zrepl", "[1, 2]", "no job came out of it"},
		"broken":          {"zrepl", "jobs: [", "yaml: "},
		"two":             {"zrepl", "jobs: []\n---\njobs: []\n", "a second document begins"},
		"huge":            {"zrepl", "#" + strings.Repeat("x", convert.MaxSize), "it is larger than 512 KiB"},
		"bomb":            {"zrepl", bomb + "jobs: *i\n", "no job came out of it"},
		"aliases":         {"zrepl", "jobs:" + job + strings.Repeat("\n- *j", 100), "its aliases make it too large"},
		"merge of itself": {"zrepl", "jobs:\n- &a\n  <<: *a\n  name: x\n", "no job came out of it"},
		"many jobs":       {"zrepl", "jobs: [" + strings.Repeat("{},", 1001) + "]", "more than 1000 jobs"},
		"no sanoid":       {"sanoid", "hello\n", "line 1: \"hello\" is neither a section nor a setting"},
		"before":          {"sanoid", "a = b\n", "line 1: \"a\" comes before the first section"},
		"binary":          {"sanoid", "[a]\n\xff = 1\n", "it is no text in UTF-8"},
		"many":            {"sanoid", strings.Repeat("[a]\n", 3) + sections(3000), "more than 2000 sections"},
		"large":           {"sanoid", strings.Repeat("#", convert.MaxSize+1), "it is larger than 512 KiB"},
		"nothing":         {"syncoid", "", "syncoid takes a source and a target, and here are 0"},
		"one":             {"syncoid", "syncoid a", "here are 1"},
		"both far":        {"syncoid", "syncoid h:a i:b", "neither side is this host"},
		"expand":          {"syncoid", "syncoid $POOL b", `"$POOL b" is for a shell to expand`},
		"quote":           {"syncoid", "syncoid 'a b", "a quote is not closed"},
		"unknown":         {"syncoid", "syncoid --colour a b", `the option "colour" is not one of syncoid's`},
		"ambiguous":       {"syncoid", "syncoid --no-s a b", `the option "no-s" could be several`},
		"no value":        {"syncoid", "syncoid a b --sshkey", "--sshkey needs a value"},
		"no dataset":      {"syncoid", "syncoid a@b c", "names a user"},
		"bad dataset":     {"syncoid", "syncoid /a b", `"/a" is no dataset`},
	} {
		_, err := converters[c.kind]([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func sections(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "[a%d]\n", i)
	}
	return b.String()
}

// TestNoInjection: a value cannot end the comment or the text in which it
// stands.
func TestNoInjection(t *testing.T) {
	for _, evil := range []string{`"\n- name: evil\n  type: prune"`, `"\u2028- name: evil"`, `"\u0085jobs: []"`, `"\rglobal: {runs: 1}"`, "\"\x1b[2J\"", `"# \" ' : {"`} {
		text := "jobs:\n- name: EVIL\n  type: push\n  connect: {type: tcp, address: EVIL, ca: EVIL, dial_timeout: EVIL}\n  filesystems: {\"tank<\": true, EVIL: true}\n" +
			"  snapshotting: {type: periodic, prefix: p_, interval: EVIL, timestamp_format: EVIL}\n  EVIL: EVIL\n" +
			"  pruning: {keep_sender: [{type: regex, regex: EVIL}], keep_receiver: [{type: regex, regex: EVIL}, {type: EVIL}]}\n"
		res, err := convert.Zrepl([]byte(strings.ReplaceAll(strings.ReplaceAll(text, "address: EVIL", "address: 'h:1'"), "EVIL", evil)))
		if err != nil {
			continue // YAML has no raw escape
		}
		c := checked(t, evil, res, nil)
		if len(c.Jobs) != 1 || c.Jobs[0].Type != config.Push || strings.ContainsAny(string(res.YAML), "\x1b\r\u2028\u0085") {
			t.Errorf("%q becomes\n%s", evil, res.YAML)
		}
	}
}

func fuzz(f *testing.F, kind string) {
	examples(f, func(of, _ string, text []byte) {
		if of == kind {
			f.Add(text)
		}
	})
	f.Fuzz(func(t *testing.T, text []byte) {
		res, err := converters[kind](text)
		if err != nil {
			return
		}
		if len(res.YAML) > convert.MaxSize {
			t.Fatalf("%d bytes", len(res.YAML))
		}
		var top map[string]yaml.Node
		if err := yaml.Unmarshal(res.YAML, &top); err != nil {
			t.Fatalf("%v\n%s", err, res.YAML)
		}
		for key := range top {
			if key != "jobs" && key != "global" {
				t.Fatalf("key %q\n%s", key, res.YAML)
			}
		}
		config.Parse(res.YAML, "made", config.SystemDefaults())
	})
}

func FuzzZrepl(f *testing.F)   { fuzz(f, "zrepl") }
func FuzzSanoid(f *testing.F)  { fuzz(f, "sanoid") }
func FuzzSyncoid(f *testing.F) { fuzz(f, "syncoid") }
