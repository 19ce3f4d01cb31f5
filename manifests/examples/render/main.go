// Command render makes a short film without anything but Go: it ray-traces
// one frame a call, and joins the frames into an animated GIF.
//
//	render frame N -o FILE.png     draw frame N of 48
//	render join PATH... -o FILE.gif     join PNG files, or folders of them
//
// A frame has the same bytes whenever it is drawn on one kind of machine.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"image/png"
	"io"
	"os"
	"strconv"
)

const usage = `usage:
  render frame N -o FILE.png       draw frame N of 48
  render join PATH... -o FILE.gif  join PNG files, or folders of them, in the order of their names
`

func main() {
	err := run(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(usage)
	case err != nil:
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

func run(argv []string) error {
	if len(argv) == 0 {
		return errors.New("no verb: frame and join are allowed")
	}
	words, output, err := parse(argv[1:])
	if err != nil {
		return err
	}
	switch verb := argv[0]; verb {
	case "frame":
		return frame(words, output)
	case "join":
		return join(words, output)
	case "help", "-h", "--help":
		return flag.ErrHelp
	default:
		return fmt.Errorf("verb %q: frame and join are allowed", verb)
	}
}

// parse takes -o out of the words of a command line, wherever it stands.
func parse(argv []string) (words []string, output string, err error) {
	fs := flag.NewFlagSet("render", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&output, "o", "", "")
	for {
		if err := fs.Parse(argv); err != nil {
			return nil, "", err
		}
		if fs.NArg() == 0 {
			return words, output, nil
		}
		words, argv = append(words, fs.Arg(0)), fs.Args()[1:]
	}
}

func frame(words []string, output string) error {
	if len(words) != 1 {
		return fmt.Errorf("frame: %d numbers given: one is wanted", len(words))
	}
	n, err := strconv.Atoi(words[0])
	if err != nil || n < 1 || n > frames {
		return fmt.Errorf("frame: number %q: 1 to %d are allowed", words[0], frames)
	}
	if output == "" {
		return errors.New("frame: -o is missing: the file to write")
	}
	return write(output, func(w io.Writer) error { return png.Encode(w, render(n)) })
}

// write makes a file of what encode writes.
func write(path string, encode func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(f)
	return errors.Join(encode(b), b.Flush(), f.Close())
}
