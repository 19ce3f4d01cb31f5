#!/bin/sh
# Encodes every sound or film of a folder with ffmpeg.
#
#     encode.sh                       eight short tones of its own making, to .ogg
#     encode.sh IN OUT [EXTENSION]    the files of IN, to OUT/NAME.EXTENSION
#
# EXTENSION says what to make of them: ogg unless given; mp3, flac, webm, mp4.
# Outputs that are there already are kept: after an interruption it goes on
# where it was.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
case $# in
0) in=$root/out/encode/in out=$root/out/encode/out extension=ogg ;;
2 | 3) in=$1 out=$2 extension=${3:-ogg} ;;
*)
	echo "usage: $0 [IN OUT [EXTENSION]]" >&2
	exit 2
	;;
esac

if ! command -v ffmpeg >/dev/null; then
	echo "$0: ffmpeg is missing. Install it, then start again:" >&2
	echo "  Debian, Ubuntu: sudo apt-get install ffmpeg" >&2
	echo "  Fedora:         sudo dnf install ffmpeg-free" >&2
	echo "  macOS:          brew install ffmpeg" >&2
	exit 1
fi

if [ $# -eq 0 ] && [ -z "$(ls -A "$in" 2>/dev/null)" ]; then
	echo "Making eight tones in $in"
	mkdir -p "$in.new"
	for hertz in 262 294 330 349 392 440 494 523; do
		ffmpeg -nostdin -v error -y -f lavfi -i "sine=frequency=$hertz:duration=2" "$in.new/tone-$hertz.wav"
	done
	rm -rf "$in"
	mv "$in.new" "$in" # all of them or none
fi

go build -C "$root" -o bin/ ./cmd/sluice

"$root/bin/sluice" run \
	--glob "$in/*.*" \
	--output "$out/{/.}.$extension" \
	--existing skip \
	-- ffmpeg -nostdin -v error -y -i {} {out}
echo "Encoded: $out"
