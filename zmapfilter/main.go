package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(_ context.Context, _ []string, _ io.Reader, _, stderr io.Writer) int {
	fmt.Fprintln(stderr, "zmapfilter: under construction", dataset.CheckName("a"))
	return 2
}
