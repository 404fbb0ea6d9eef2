// Bench-frame measures zsend-frame | zrecv-frame beside cat | cat, other
// pairs that copy, and a bare splice(2) loop, which is the limit. All of them
// move the same data from a generator to a sink that touch no disk; the
// rounds go around the candidates, so that each meets the same machine.
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
)

func main() {
	if len(os.Args) > 1 {
		if end, ok := ends[os.Args[1]]; ok {
			if err := end(os.Args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, "bench-frame:", err)
				os.Exit(1)
			}
			return
		}
	}
	size := flag.Int64("size", 8<<30, "move that many `bytes`")
	rounds := flag.Int("rounds", 5, "`times` to run each candidate")
	flag.Parse()
	if err := compare(*size, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench-frame:", err)
		os.Exit(1)
	}
}

// ends are what we do as a part of a pipeline.
var ends = map[string]func([]string) error{
	"generate": generate,
	"sink":     sink,
	"splice":   spliceLoop,
}

const piece = 1 << 20

// generate writes so many bytes.
func generate(args []string) error {
	left, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return err
	}
	enlarge(1)
	b := make([]byte, piece)
	for i := range b {
		b[i] = byte(i * 7)
	}
	for left > 0 {
		n, err := os.Stdout.Write(b[:min(left, piece)])
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	return nil
}

// sink reads so many bytes and then the end.
func sink(args []string) error {
	want, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return err
	}
	enlarge(0)
	b := make([]byte, piece)
	for {
		n, err := os.Stdin.Read(b)
		if n == 0 || err != nil {
			break
		}
		want -= int64(n)
	}
	if want != 0 {
		return fmt.Errorf("%d bytes are missing", want)
	}
	return nil
}
