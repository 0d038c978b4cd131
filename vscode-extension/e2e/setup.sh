#!/usr/bin/env bash
# A real VS Code without its download hosts: code-server from npm, its own Node 24, Debian's Chromium.
# Everything but Chromium goes into one folder: ./setup.sh FOLDER
set -euo pipefail
folder=$(mkdir -p "$1" && cd "$1" && pwd)
[ -e "$folder/.installed" ] && exit 0

if ! command -v chromium >/dev/null || ! command -v rg >/dev/null; then
  [ "$(id -u)" = 0 ] || { echo "install chromium, ripgrep and libkrb5-dev first" >&2; exit 1; }
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium ripgrep libkrb5-dev
fi

quiet=(--no-audit --no-fund --loglevel=error)
mkdir -p "$folder/node" "$folder/server"
# Without a package of their own, npm would install into the nearest one above.
echo '{"private": true}' | tee "$folder/node/package.json" >"$folder/server/package.json"
cd "$folder/node"
npm install "${quiet[@]}" node@24
ln -sfn "$(find "$PWD" -path '*linux*/bin/node' -type f -print -quit)" "$folder/node/node"
export PATH="$(dirname "$(readlink -f "$folder/node/node")"):$PATH"

cd "$folder/server"
npm install "${quiet[@]}" --ignore-scripts code-server@4.139.1 playwright-core@1.65.1
cd node_modules/code-server/lib/vscode
npm install "${quiet[@]}" --ignore-scripts --omit=dev
(cd extensions && npm install "${quiet[@]}" --ignore-scripts --omit=dev)
npm rebuild node-pty @vscode/spdlog @parcel/watcher @vscode/deviceid @vscode/sqlite3
cd "$folder/server"
npm rebuild argon2
touch "$folder/.installed"
