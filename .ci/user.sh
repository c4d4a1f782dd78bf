# shellcheck shell=bash
# For root: an ordinary user, who has what pip, git and TLS need of root's settings, and a clone of this checkout.
#
#   as_user COMMAND...      run a command as that user, where we are
#   enter_users_checkout    rebuild the clone and enter it
#
# For anybody else both do nothing more: the command runs as it is, here.

if ((EUID != 0)); then
  as_user() { "$@"; }
  enter_users_checkout() { :; }
  return 0
fi

TESTER=fernn-tester
# '*': nobody can log in by a password, and sshd does not take it for a locked account
id "$TESTER" > /dev/null 2>&1 || useradd --create-home --shell /bin/bash --password '*' "$TESTER"
TESTERS_HOME=$(getent passwd "$TESTER" | cut -d : -f 6)

as_tester() { setpriv --reuid="$TESTER" --regid="$(id --group "$TESTER")" --init-groups -- "$@"; }

# What stands for a file or a folder: itself, or a copy, if only root reads it.
readable() {
  local copy="$TESTERS_HOME/of-root$1"
  if [[ ! -e $1 ]] || as_tester test -r "$1"; then
    echo "$1"
    return
  fi
  mkdir -p "$(dirname "$copy")"
  cp -rL --no-target-directory "$1" "$copy"
  chown -R "$TESTER:" "$TESTERS_HOME/of-root"
  echo "$copy"
}

# A text, with what stands for the paths in it.
with_readable_paths() {
  local text=$1 path
  while read -r path; do
    [[ -z $path ]] || text=${text//"$path"/"$(readable "$path")"}
  done < <(grep -oE '(^|[[:space:]=]|file://)/[^[:space:]:,]+' <<< "$text" | grep -oE '/[^/].*' | sort -u)
  echo "$text"
}

SETTINGS=("HOME=$TESTERS_HOME" "USER=$TESTER" "LOGNAME=$TESTER" "MAIL=" "TMPDIR=/tmp")
for name in $(compgen -e); do
  case "$name" in
    PIP_CONFIG_FILE) ;;
    PIP_* | UV_* | *SSL* | *CA_BUNDLE | *CA_CERTS*) SETTINGS+=("$name=$(with_readable_paths "${!name}")") ;;
  esac
done

# programs that root alone can reach, such as another Python, are not the user's
IFS=: read -ra FOLDERS <<< "$PATH"
USERS_PATH=/usr/local/bin:/usr/bin:/bin
for folder in "${FOLDERS[@]}"; do
  if [[ ":$USERS_PATH:" != *":$folder:"* ]] && as_tester test -x "$folder"; then USERS_PATH+=:$folder; fi
done
SETTINGS+=("PATH=$USERS_PATH")

# pip and uv have a file of root's own
for file in "${PIP_CONFIG_FILE:-${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf}" "${XDG_CONFIG_HOME:-$HOME/.config}/uv/uv.toml"; do
  if [[ -f $file ]]; then
    folder="$TESTERS_HOME/.config/$(basename "${file%.*}")"
    mkdir -p "$folder"
    with_readable_paths "$(< "$file")" > "$folder/$(basename "$file")"
    chown -R "$TESTER:" "$TESTERS_HOME/.config"
  fi
done

as_user() {
  env --unset=PIP_CONFIG_FILE --unset=XDG_CONFIG_HOME --unset=XDG_CACHE_HOME --unset=XDG_RUNTIME_DIR "${SETTINGS[@]}" \
    setpriv --reuid="$TESTER" --regid="$(id --group "$TESTER")" --init-groups -- "$@"
}

enter_users_checkout() {
  local checkout="$TESTERS_HOME/checkout" trust
  [[ -z $(git -c safe.directory='*' status --porcelain) ]] || echo "What is not committed is not tested." >&2
  trust=$(mktemp)
  printf '[safe]\n\tdirectory = *\n' > "$trust" # the caller of sudo may own the checkout
  rm -rf "$checkout"
  GIT_CONFIG_GLOBAL=$trust git -c advice.detachedHead=false clone --quiet --no-hardlinks . "$checkout"
  rm "$trust"
  chown -R "$TESTER:" "$checkout"
  cd "$checkout"
}
