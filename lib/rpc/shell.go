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
//
// This is so for sh, dash, bash, ksh, mksh, zsh and busybox. A csh and a fish
// say nothing before their input ends, which is when the client gives up, after
// 60 seconds. A csh then takes the quoted exit for the name of a program, and
// may take bytes of the request that follow for words of a command.

// ShellMarks are in what shells say of these lines, without the quotes. A zsh
// and a fish name only the bytes before the first zero.
var ShellMarks = []string{"zrpc:1,call:", "command not found: ^A^A", `Unknown command: \ca\ca`, "exit: Command not found"}

const (
	shellExit = "exit"
	shellLine = `,"shell":` + "\n" + `"` + shellExit + `"` + "\n"
)
