package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPrints: commands print through cli.Out, which cleans. What could go
// round it has its place in one file.
func TestPrints(t *testing.T) {
	places := map[string]string{ // what may be used in these files only, or nowhere
		"os.Stdout": "main.go", "os.Stderr": "main.go", ".protocol": "serve.go export.go",
		"fmt.Print": "", "fmt.Printf": "", "fmt.Println": "", "fmt.Fprint": "", "fmt.Fprintf": "", "fmt.Fprintln": "",
		"io.WriteString": "", "json.NewEncoder": "", "json.Marshal": "", "json.MarshalIndent": "", "os.NewFile": "",
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	set := token.NewFileSet()
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			name := "." + s.Sel.Name
			if x, ok := s.X.(*ast.Ident); ok && name != ".protocol" {
				name = x.Name + name
			}
			if place, known := places[name]; known && !slices.Contains(strings.Fields(place), path) {
				t.Errorf("%v: %s goes round cli.Out", set.Position(n.Pos()), name)
			}
			return true
		})
	}
}
