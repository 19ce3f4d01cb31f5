// Command render makes a short film without anything but Go: it ray-traces
// one frame a call, and joins the frames into an animated GIF.
//
//	render frame N -o FILE.png     draw frame N of 48
//	render frames FIRST LAST -o FOLDER     draw some frames, NNNN.png each
//	render join PATH... -o FILE.gif     join PNG files, or folders of them
//
// With -of N the film has N frames, with -width N its pictures so many pixels. A
// frame has the same bytes whenever it is drawn on one kind of machine.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

const usage = `usage:
  render frame N -o FILE.png       draw frame N of 48
  render frames FIRST LAST -o FOLDER   draw some frames into FOLDER, NNNN.png each
  render join PATH... -o FILE.gif  join PNG files, or folders of them, in the order of their names
-of N:    the film has N frames, 1 to 9999, instead of 48
-width N: it is N pixels wide, 32 to 3840 in steps of 32, instead of 320
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
		return errors.New("no verb: frame, frames and join are allowed")
	}
	words, output, film, err := parse(argv[1:])
	if err != nil {
		return err
	}
	switch verb := argv[0]; verb {
	case "frame":
		return frame(words, output, film)
	case "frames":
		return manyFrames(words, output, film)
	case "join":
		return join(words, output)
	case "help", "-h", "--help":
		return flag.ErrHelp
	default:
		return fmt.Errorf("verb %q: frame, frames and join are allowed", verb)
	}
}

// parse takes the flags out of the words of a command line, wherever they stand.
func parse(argv []string) (words []string, output string, f format, err error) {
	fs := flag.NewFlagSet("render", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&output, "o", "", "")
	fs.IntVar(&f.length, "of", usualLength, "")
	fs.IntVar(&f.width, "width", usualWidth, "")
	for {
		if err := fs.Parse(argv); err != nil {
			return nil, "", f, err
		}
		if f.length < 1 || f.length > maxLength {
			return nil, "", f, fmt.Errorf("-of %d: 1 to %d are allowed", f.length, maxLength)
		}
		if f.width < 32 || f.width > maxWidth || f.width%32 != 0 {
			return nil, "", f, fmt.Errorf("-width %d: 32 to %d in steps of 32 are allowed", f.width, maxWidth)
		}
		if fs.NArg() == 0 {
			return words, output, f, nil
		}
		words, argv = append(words, fs.Arg(0)), fs.Args()[1:]
	}
}

func frame(words []string, output string, f format) error {
	if len(words) != 1 {
		return fmt.Errorf("frame: %d numbers given: one is wanted", len(words))
	}
	n, err := number("frame", words[0], f.length)
	if err != nil {
		return err
	}
	if output == "" {
		return errors.New("frame: -o is missing: the file to write")
	}
	return drawFile(n, f, output)
}

// manyFrames draws a part of the film, which it tells the progress of.
func manyFrames(words []string, folder string, f format) error {
	if len(words) != 2 {
		return fmt.Errorf("frames: %d numbers given: the first and the last are wanted", len(words))
	}
	first, err := number("frames", words[0], f.length)
	if err != nil {
		return err
	}
	last, err := number("frames", words[1], f.length)
	if err != nil {
		return err
	}
	if last < first {
		return fmt.Errorf("frames: last %d comes before first %d", last, first)
	}
	if folder == "" {
		return errors.New("frames: -o is missing: the folder to make")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for n := first; n <= last; n++ {
		if err := drawFile(n, f, filepath.Join(folder, fmt.Sprintf("%04d.png", n))); err != nil {
			return err
		}
		fmt.Printf("frame %d, %d%%\n", n, 100*(n-first+1)/(last-first+1))
	}
	return nil
}

func number(verb, word string, length int) (int, error) {
	n, err := strconv.Atoi(word)
	if err != nil || n < 1 || n > length {
		return 0, fmt.Errorf("%s: number %q: 1 to %d are allowed", verb, word, length)
	}
	return n, nil
}

func drawFile(n int, f format, path string) error {
	return write(path, func(w io.Writer) error { return png.Encode(w, render(n, f)) })
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
