// Package template fills the arguments of a command line from an item.
//
// The placeholders are those of GNU parallel:
//
//	{}        the argument
//	{.}       the argument without its extension
//	{/}       its last path component
//	{/.}      that without its extension
//	{//}      the path without its last component, "." if it has one only
//	{#}       the item's number in the input, from 1
//	{%}       the slot that the attempt runs in, from 1
//	{out}     where the command writes its output
//	{outdir}  the folder around {out}, for commands that write several files
//	{name}    a field of the item; a name is [A-Za-z_][A-Za-z0-9_-]*
//
// An extension begins at the last dot of the last component. The dots that a
// component begins with are no extension (.bashrc has none), nor has a path
// that ends in a slash any. {/} and {//} pass over slashes at the end, as
// basename(1) and dirname(1) do.
//
// # What is a placeholder
//
// An opening brace, any number of letters, digits and the characters
// _ - . / # %, and a closing brace. Such text without a meaning above is an
// error, so that a mistyped name never reaches a command. All other text stays
// as it is, which leaves alone
//
//   - braces around anything else: { print $1 }, {a,b}, {"key":1}
//   - a brace after a dollar sign: ${VAR}
//   - ranges of a shell: {1..5}, {a..z}
//   - two or more opening braces in a row: {{.Names}}
//
// {{} is the text "{": {{}} is the text "{}", and {{}3} is "{3}".
//
// # Shells
//
// With Options.Shell the words are joined by spaces into one script for
// /bin/sh, and each value is quoted for the place where it stands: outside
// quotes, in single or in double quotes. The script gets every value byte for
// byte, as text that the shell does not look into. What a command of the
// script then does with it (eval, another sh -c) is the script's own care.
// Where the quotes are hard to follow (after a here-document, a backquote,
// arithmetic and the like) a placeholder is an error; the way out is to keep
// the value first: f={}; ... "$f".
package template
