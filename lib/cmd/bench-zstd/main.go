// Command bench-zstd measures what compression gains over a slow link: the
// framers of this tree with a link between them, plain and compressed by turns.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"time"
)

func main() {
	size := flag.Int("size", 100_000_000, "`bytes` of data")
	link := flag.Int("link", 10_000_000, "`bytes` a second that the link carries")
	method := flag.String("compress", "zstd", "the `method` of zsend-frame -compress")
	rounds := flag.Int("rounds", 1, "how many `times` each is measured; the fastest counts")
	flag.Parse()
	for _, kind := range []struct {
		name string
		make func(n int) []byte
	}{{"log lines", logLines}, {"random", random}} {
		data := kind.make(*size)
		best := map[string]time.Duration{}
		for range *rounds {
			for _, how := range []string{"off", *method} {
				took, err := move(data, *link, how)
				if err != nil {
					fmt.Fprintf(os.Stderr, "bench-zstd: %s, %s: %v\n", kind.name, how, err)
					os.Exit(1)
				}
				if b, ok := best[how]; !ok || took < b {
					best[how] = took
				}
			}
		}
		plain, packed := best["off"], best[*method]
		fmt.Printf("%-10s %d MB over %.1f MB/s: plain %5.2fs, %s %5.2fs: %.2f times as fast\n", kind.name, *size/1e6, float64(*link)/1e6,
			plain.Seconds(), *method, packed.Seconds(), plain.Seconds()/packed.Seconds())
	}
}

// move moves data through both framers and the link.
func move(data []byte, link int, how string) (time.Duration, error) {
	send := exec.Command("zsend-frame", "-compress", how)
	receive := exec.Command("zrecv-frame", "-progress=false", "-decompress", "zstd")
	send.Stdin, send.Stderr, receive.Stderr = bytes.NewReader(data), os.Stderr, os.Stderr
	var got counter
	receive.Stdout = &got
	from, err := send.StdoutPipe()
	if err != nil {
		return 0, err
	}
	into, err := receive.StdinPipe()
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := errors.Join(send.Start(), receive.Start()); err != nil {
		return 0, err
	}
	err = throttle(into, from, link)
	into.Close()
	err = errors.Join(err, send.Wait(), receive.Wait())
	if err == nil && int(got) != len(data) {
		err = fmt.Errorf("%d of %d bytes arrived", got, len(data))
	}
	return time.Since(begun), err
}

// throttle is a link: it carries so many bytes a second, and a hundredth of
// that at once.
func throttle(to io.Writer, from io.Reader, perSecond int) error {
	piece := make([]byte, max(1, perSecond/100))
	for free := time.Now(); ; {
		n, err := from.Read(piece)
		if n > 0 {
			if now := time.Now(); free.Before(now) { // what was not used is lost
				free = now
			}
			free = free.Add(time.Duration(float64(n) / float64(perSecond) * float64(time.Second)))
			time.Sleep(time.Until(free))
			if _, err := to.Write(piece[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

type counter int

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

// logLines are lines as a server may write them.
func logLines(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, n+200)
	for at := 1_700_000_000_000; len(b) < n; at += r.IntN(5000) {
		b = fmt.Appendf(b, "%d host%02d web[%d]: \"GET /item/%x/%d HTTP/1.1\" %d %d \"%s\"\n", at, r.IntN(20), 1000+r.IntN(9000), r.Uint32(), r.IntN(100),
			[]int{200, 200, 200, 304, 404}[r.IntN(5)], r.IntN(100_000), []string{"Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0", "Googlebot/2.1"}[r.IntN(3)])
	}
	return b[:n]
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}
