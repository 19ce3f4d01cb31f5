#!/bin/sh
# Renders a film of 48 frames, several at a time, and joins it into a GIF.
#
#     render.sh [FOLDER]      FOLDER is out/render of the repository unless given
#
# It needs Go and nothing else. Frames that are there already are kept: after
# an interruption it goes on where it was. Remove FOLDER to render all anew.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
out=${1:-$root/out/render}

echo "Building sluice and a small renderer."
go build -C "$root" -o bin/ ./cmd/sluice ./manifests/examples/render

echo "Rendering 48 frames, four at a time, to $out/frames"
seq -w 1 48 | "$root/bin/sluice" run \
	--parallelism 4 \
	--items - \
	--output "$out/frames/frame-{}.png" \
	--existing skip \
	-- "$root/bin/render" frame {} -o {out}

"$root/bin/render" join "$out/frames" -o "$out/film.gif"
echo "Open $out/film.gif in a browser."
