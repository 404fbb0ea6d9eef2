package lib_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestArchitecture looks up what doc/architecture.md names: files, folders and
// words of the code. A stranger who follows it must find them.
func TestArchitecture(t *testing.T) {
	var paths []string
	var code strings.Builder
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && (d.Name() == ".git" || d.Name() == "bin") {
			return fs.SkipDir
		}
		paths = append(paths, strings.TrimPrefix(filepath.ToSlash(path), "../"))
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			code.Write(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../doc/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "## The life of a pull") // before it are drawings
	names := regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(text, -1)
	if len(names) < 80 {
		t.Fatalf("%d names", len(names))
	}
	isPath := regexp.MustCompile(`^[\w./*-]*(/[\w./*-]*|\.(go|md|yml|py|[1-8]))$`)
	word := regexp.MustCompile(`[A-Za-z]\w+$`)
	for _, m := range names {
		name := strings.TrimSuffix(m[1], "/")
		switch {
		case strings.Contains(name, " "): // a command
		case isPath.MatchString(name):
			if !named(paths, name) {
				t.Errorf("there is no file %s", name)
			}
		case word.FindString(name) != "" && !regexp.MustCompile(`\b`+word.FindString(name)+`\b`).MatchString(code.String()):
			if !named(paths, name) && !named(paths, name+"*") && !named(paths, "*"+name) {
				t.Errorf("%s is neither in the code nor a file", name)
			}
		}
	}
}

// named reports whether a path ends with name, which may have stars.
func named(paths []string, name string) bool {
	parts := strings.Count(name, "/") + 1
	for _, path := range paths {
		all := strings.Split(path, "/")
		if len(all) < parts {
			continue
		}
		if ok, _ := filepath.Match(name, strings.Join(all[len(all)-parts:], "/")); ok {
			return true
		}
	}
	return false
}
