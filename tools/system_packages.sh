#!/usr/bin/env bash
# Installs the Debian packages that hitl needs outside Python, where they are missing and this user may install them.
# Elsewhere it says what is missing and goes on: the same libraries can come from another place, and `hitl doctor` checks.
set -euo pipefail

PACKAGES=(
  python3-venv                                                # virtual environments
  libegl1 libgl1 libgl1-mesa-dri libgles2                     # rendering, with or without a GPU
  libfontconfig1 libglib2.0-0 libdbus-1-3 fonts-dejavu-core   # Qt's text and desktop
  fonts-noto-color-emoji fonts-droid-fallback fonts-lohit-deva fonts-nanum   # emoji, Chinese, Japanese, Devanagari, Korean
  libxkbcommon-x11-0 libx11-xcb1 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0
  libxcb-render-util0 libxcb-shape0 libxcb-sync1 libxcb-xfixes0 libxcb-xkb1 libwayland-cursor0   # Qt's windows
  portaudio19-dev gcc libc6-dev python3-dev                   # PyAudio is compiled where it is installed
  libasound2-plugins                                          # microphones of a sound server
  espeak-ng flite                                             # voices: answers aloud, and test sets
)
# What only tests need: a sound server of their own, and a dictionary (hitl train-speech).
[ "${1:-}" = test ] && PACKAGES=(pulseaudio pulseaudio-utils wamerican-small)

is_debian() { [ -r /etc/os-release ] && grep -qx 'ID=debian' /etc/os-release; }

missing() {
  local package
  for package in "${PACKAGES[@]}"; do
    dpkg-query --show --showformat='${Status}\n' "$package" 2>/dev/null | grep -q 'install ok installed' || echo "$package"
  done
}

if ! is_debian; then
  echo "      not Debian: nothing installed here; README lists the libraries for other systems"
  exit 0
fi

mapfile -t wanted < <(missing)
if [ "${#wanted[@]}" -eq 0 ]; then
  echo "      all ${#PACKAGES[@]} are installed"
  exit 0
fi

if [ "$(id -u)" -eq 0 ]; then
  as_root=()
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
  as_root=(sudo)
else
  echo "      missing, and this user cannot install them: ${wanted[*]}"
  echo "      ask an administrator to run: apt-get install ${wanted[*]}"
  echo "      going on without; 'hitl doctor' says what does not work"
  exit 0
fi

echo "      installing: ${wanted[*]}"
if ! { "${as_root[@]}" apt-get update -q &&
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${wanted[@]}"; }; then
  echo "      apt-get could not install them (its message is above); mend that, or run by hand:" >&2
  echo "      apt-get install ${wanted[*]}" >&2
  echo "      going on without; 'hitl doctor' says what does not work" >&2
fi
