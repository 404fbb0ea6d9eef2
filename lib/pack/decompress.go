package pack

import (
	"context"
	"os"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// Decompressor is a started zstd(1) that decompresses one stream.
type Decompressor struct {
	*child.Process
	in, out *os.File
}

// Decompress starts one. It ends as soon as what it writes is not read, or
// what it reads ends, so that our death ends it, too.
func Decompress(ctx context.Context, group bool) (*Decompressor, error) {
	read, in, err := child.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	out, write, err := child.Pipe()
	if err != nil {
		in.Close()
		return nil, err
	}
	defer write.Close()
	p, err := child.Start(context.WithoutCancel(ctx), child.Cmd{Args: decompress(), Stdin: read, Stdout: write, Stderr: &child.Tail{}, Group: group, Alone: true})
	if err != nil {
		in.Close()
		out.Close()
		return nil, err
	}
	return &Decompressor{p, in, out}, nil
}

// Unpacker is what frame.Receive needs of it.
func (d *Decompressor) Unpacker() frame.Unpacker {
	return frame.Unpacker{In: d.in, Out: d.out, Command: d, Check: &Guard{}}
}

// Close ends it, and waits for its end. Its input is frame.Receive's to close.
func (d *Decompressor) Close() {
	d.Kill()
	d.Wait()
	d.out.Close()
}
