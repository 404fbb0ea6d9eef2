package rpc

// A login without a forced command runs a shell, and the shell reads the first
// request as commands. Without care it would wait for the end of a line that
// never comes, and so would the client.
//
// The header of such a request therefore ends its first line after the key
// shell, and has the value alone on the second one. A shell finds no command
// for the first line, says so, and obeys the second: exit. It reads no further.
// The first line is harmless: it is one word, because what stands outside the
// quotes of its JSON has no character that a shell acts on. That holds for the
// frame's length and checksum, too, as long as the call is hello.

// ShellMarks are in what shells say of these lines, without the quotes. A zsh
// names only the bytes before the first zero. A csh takes a quoted exit for the
// name of a program, and does not end: whoever sees the mark ends it.
var ShellMarks = []string{"zrpc:1,call:", "command not found: ^A^A", "exit: Command not found"}

const (
	shellExit = "exit"
	shellLine = `,"shell":` + "\n" + `"` + shellExit + `"` + "\n"
)
