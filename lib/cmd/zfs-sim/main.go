// Command zfs-sim is zfs and zpool over a directory; see package zfssim.
package main

import (
	"os"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim"
)

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin, stdout, stderr *os.File) int {
	return zfssim.Run(zfssim.Command{Args: args, Env: os.Getenv, Stdin: stdin, Stdout: stdout, Stderr: stderr})
}
