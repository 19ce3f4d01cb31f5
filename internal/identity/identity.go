// Package identity tells input files apart: the same path with another size,
// modification time, inode or content is another input.
//
// A file that changed less than Young ago may change again within one tick of
// its file system's clock, with nothing to show for it, so its content joins
// its identity. That relies on this machine's clock and the file system's
// being less than Young apart.
package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"sluice.dev/internal/payload"
)

// Young is the age below which a modification time alone proves nothing.
const Young = 2 * time.Second

// ErrNotRegular is a path that names something other than a regular file.
var ErrNotRegular = errors.New("not a regular file")

// Changed is an input that is no longer what it was.
type Changed struct {
	Path string
	What string // what differs, for people
}

func (e *Changed) Error() string { return fmt.Sprintf("input %s changed: %s", e.Path, e.What) }

// Stat is the identity of a file by its size, modification time and inode. It
// follows symbolic links, keeps path as it is given, and returns ErrNotRegular
// for anything but a regular file.
func Stat(path string) (payload.Input, error) {
	info, err := os.Stat(path)
	if err != nil {
		return payload.Input{}, err
	}
	if !info.Mode().IsRegular() {
		return payload.Input{}, fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	return payload.Input{
		Path:    path,
		Size:    info.Size(),
		ModTime: info.ModTime().UnixNano(),
		Inode:   inode(info),
	}, nil
}

// Take is the identity of a file as an item records it. Unless content is set
// that is its Stat, with its hash beside it while the file is young. With
// content it is the path, the size and the hash alone, so that a copy or a
// touch is the same input.
//
// A file that changes while it is read is a *Changed.
func Take(ctx context.Context, path string, content bool) (payload.Input, error) {
	now := time.Now() // before the stat, so that a pause between the two makes no file older
	in, err := Stat(path)
	if err != nil {
		return payload.Input{}, err
	}
	if !content && now.Sub(time.Unix(0, in.ModTime)) >= Young {
		return in, nil
	}
	before := in
	if in.SHA256, err = Hash(ctx, path); err != nil {
		return payload.Input{}, err
	}
	after, err := Stat(path)
	if err != nil {
		return payload.Input{}, err
	}
	if !Same(before, after) {
		return payload.Input{}, &Changed{Path: path, What: "while it was read, " + differences(before, after)}
	}
	if content {
		in = contentOnly(in)
	}
	return in, nil
}

// Hash is the SHA-256 of a regular file's content, in lower-case hex. It
// stops between reads when ctx is done.
func Hash(ctx context.Context, path string) (string, error) {
	if _, err := Stat(path); err != nil {
		return "", err // to open a FIFO would block
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	buf := make([]byte, 128<<10)
	for {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		n, err := f.Read(buf)
		h.Write(buf[:n])
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// Same tells whether two identities, taken in the same way, are of one input.
func Same(a, b payload.Input) bool { return a == b }

// Check takes the identity of an input again, in the way in which in was
// taken. It returns a *Changed that names what differs, also when the file is
// gone or is no regular file now, and another error when the file cannot be
// looked at.
func Check(ctx context.Context, in payload.Input) error {
	now, err := retake(ctx, in)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return &Changed{Path: in.Path, What: "it is gone"}
	case errors.Is(err, ErrNotRegular):
		return &Changed{Path: in.Path, What: "it is no regular file now"}
	case err != nil:
		return fmt.Errorf("check input: %w", err)
	case !Same(in, now):
		return &Changed{Path: in.Path, What: differences(in, now)}
	}
	return nil
}

// retake takes an identity in the way in which in was taken. It reads the file
// only when nothing cheaper tells the two apart.
func retake(ctx context.Context, in payload.Input) (payload.Input, error) {
	now, err := Stat(in.Path)
	if err != nil || in.SHA256 == "" {
		return now, err
	}
	if in == contentOnly(in) {
		now = contentOnly(now)
	}
	now.SHA256 = in.SHA256
	if Same(in, now) {
		now.SHA256, err = Hash(ctx, in.Path)
	}
	return now, err
}

// contentOnly is an identity without what a copy or a touch changes.
func contentOnly(in payload.Input) payload.Input {
	in.ModTime, in.Inode = 0, 0
	return in
}

func differences(was, is payload.Input) string {
	var d []string
	if was.Size != is.Size {
		d = append(d, fmt.Sprintf("size was %d and is %d bytes", was.Size, is.Size))
	}
	if was.ModTime != is.ModTime {
		d = append(d, fmt.Sprintf("modification time was %s and is %s", stamp(was.ModTime), stamp(is.ModTime)))
	}
	if was.Inode != is.Inode {
		d = append(d, fmt.Sprintf("inode was %d and is %d", was.Inode, is.Inode))
	}
	if was.SHA256 != is.SHA256 {
		d = append(d, fmt.Sprintf("sha256 was %s and is %s", was.SHA256, is.SHA256))
	}
	return strings.Join(d, ", ")
}

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }
