#!/bin/sh
# `npm start`: serves from the sources. For this machine alone, it also opens the HTTP port with the console.
# Variables that are set already stay as they are.
export QSCOPE_HTTP_LISTEN="${QSCOPE_HTTP_LISTEN:-127.0.0.1:8080}"
case $QSCOPE_HTTP_LISTEN in
127.* | localhost:* | '[::1]:'*) export QSCOPE_CONSOLE="${QSCOPE_CONSOLE:-on}" ;;
esac
exec src/main.ts serve "$@"
