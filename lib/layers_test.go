package lib_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers says which packages of lib each package of lib may import: downward
// only, so that what decides never depends on what runs commands or talks.
var layers = map[string][]string{
	"dataset":         {},
	"cursor":          {"dataset"},
	"identity":        {},
	"clean":           {},
	"plural":          {},
	"fault":           {},
	"child":           {"clean"},
	"peek":            {},
	"rate":            {},
	"frame":           {"clean", "rate"},
	"pack":            {"child", "clean", "frame"},
	"retention":       {},
	"zone":            {},
	"progress":        {},
	"fdpass":          {},
	"cli":             {"clean"},
	"framer":          {"child", "clean", "cli", "frame", "rate", "zfs/stream"},
	"property":        {},
	"mapfilter":       {"dataset"},
	"zfs/stream":      {"dataset", "fault"},
	"digest":          {"dataset", "zfs/stream"},
	"zfs":             {"dataset", "child", "fault", "property", "zfs/stream"},
	"prune":           {"zfs", "cursor", "dataset", "fault", "retention"},
	"snap":            {"zfs", "dataset", "child", "fault"},
	"plan":            {"dataset"},
	"transfer":        {"dataset", "fault"},
	"history":         {"dataset"},
	"rpc":             {"frame", "child"},
	"transport":       {"fdpass", "identity", "child", "clean"},
	"seed":            {"frame", "dataset"},
	"replicate":       {"plan", "dataset", "progress", "transfer", "clean", "fault", "plural"},
	"verify":          {"replicate", "plan", "dataset", "digest", "transfer", "fault"},
	"endpoint":        {"seed", "frame", "pack", "cursor", "history", "digest", "zfs", "zfs/stream", "dataset", "fault", "identity", "mapfilter", "property", "rate", "rpc", "transfer", "child", "clean", "plural"},
	"zfssim":          {"dataset"},
	"zfssim/simhost":  {}, // for tests
	"zfssim/forge":    {}, // for tests
	"cmd/bench-frame": {},
	"cmd/bench-many":  {},
	"cmd/bench-rpc":   {"rpc", "child"},
	"cmd/bench-zstd":  {},
	"cmd/zfs-forge":   {"zfssim/forge"},
	"cmd/zfs-sim":     {"zfssim"},
	"cmd/zstd-sim":    {},
}

const module = "github.com/zrepl-tools/zrepl-tools/lib/"

func TestLayers(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || filepath.Dir(path) == "." {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(path))
		allowed, known := layers[pkg]
		if !known {
			t.Errorf("package %s has no line in the table of layers", pkg)
		}
		checkImports(t, path, pkg, allowed)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkImports also looks at tests: a test may import its own package and
// what its package may, and zfssim, which stands in for ZFS, with its hosts
// and forged streams.
func checkImports(t *testing.T, path, pkg string, allowed []string) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	test := strings.HasSuffix(path, "_test.go")
	for _, spec := range file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		imported, ours := strings.CutPrefix(imported, module)
		switch {
		case !ours, slices.Contains(allowed, imported):
		case test && (imported == pkg || imported == "zfssim" || imported == "zfssim/simhost" || imported == "zfssim/forge"):
		default:
			t.Errorf("%s: package %s must not import %s", path, pkg, imported)
		}
	}
}
