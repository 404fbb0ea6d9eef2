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

// ShellMarks are in what shells say of the first line, without its quotes. A
// csh misses the other brace.
var ShellMarks = []string{"zrpc:1,call:", "Missing '}'", "Missing }"}

const (
	shellExit = "exit"
	shellLine = `,"shell":` + "\n" + `"` + shellExit + `"` + "\n"
)
