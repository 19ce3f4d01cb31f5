package embedded

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Scheme begins the URL of a store in a folder: file:DIR.
const Scheme = "file"

// Folder is the folder that a URL names, as an absolute path.
func Folder(url string) (string, error) {
	dir, ok := strings.CutPrefix(url, Scheme+":")
	switch {
	case !ok:
		return "", errors.New("store URL: file:DIR is wanted")
	case dir == "":
		return "", errors.New("store URL file: it names no folder: file:DIR")
	case strings.HasPrefix(dir, "//") && !strings.HasPrefix(dir, "///"):
		return "", fmt.Errorf("store URL %s: a folder has no host: file:DIR or file:///DIR is allowed", url)
	case strings.HasPrefix(dir, "~"):
		return "", fmt.Errorf("store URL %s: the shell does not expand ~ there: write file:$HOME/DIR", url)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("store URL %s: %w", url, err)
	}
	return dir, nil
}
