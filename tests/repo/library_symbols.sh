#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What an application may rely on: the shared library exports the public API and nothing else; no object has global
# constructors; none can print. Usage: [NM=nm] [OBJDUMP=objdump] library_symbols.sh SOURCE_DIR BUILD_DIR
set -u
nm=${NM:-nm} objdump=${OBJDUMP:-objdump} bad=0
archive=$2/engine/libbitplane.a shared=$2/engine/libbitplane.so
[ -e "$archive" ] || { echo "no $archive: build first"; exit 1; }
reject() { # reject RULE LINES
  [ -z "$2" ] && return
  printf '%s\n  rule: %s\n' "$2" "$1"
  bad=1
}

functions='status_code_name|validate|serialize_model|write_model|parse_model|read_model|write_file_atomically'
functions+='|dtype_name|dtype_size|parse_safetensors|serialize_safetensors|self_test|zero_byte'
public="^(bitplane_[a-z0-9_]+$|bitplane::engine::(Model|Session)::|bitplane::engine::($functions)\\()"
if [ -e "$shared" ]; then
  exported=$("$nm" -DC --defined-only "$shared" | awk '{ $1 = $2 = ""; print substr($0, 3) }')
  reject "export only what BITPLANE_API names in a public header" \
         "$(printf '%s\n' "$exported" | grep -vE "$public")$(printf '%s\n' "$exported" | grep 'Impl::')"
  for name in bitplane_model_load bitplane::engine::Model::load bitplane::engine::Session::create; do
    printf '%s\n' "$exported" | grep -q "^$name" || reject "the public API is exported" "$name is missing"
  done
fi
sections=$("$objdump" -h "$archive") || reject "objdump can read the archive" "$objdump failed"
printf '%s\n' "$sections" | grep -q '\.text' || reject "objdump can read the archive" "$objdump shows no section .text"
needed=$("$nm" -uC "$archive") || reject "nm can read the archive" "$nm failed"
printf '%s\n' "$needed" | grep -q ' U ' || reject "nm can read the archive" "$nm shows no symbol that is needed from outside"
reject "no global constructors in the library: applications pay for them at start-up" \
       "$(printf '%s\n' "$sections" | grep -E '\.(init_array|ctors)')"
# With _FORTIFY_SOURCE the compiler calls __printf_chk for printf.
output='(__)?(v|f|vf|d|vd)?printf(_chk)?|(__)?fwrite(_chk)?|puts|putc|putchar|fputs|fputc|perror|stdout|stderr|std::cout|std::cerr|std::clog'
reject "nothing in the library writes to stdout or stderr, aborts or exits" \
       "$(printf '%s\n' "$needed" | grep -wE "$output|abort|exit|_exit|_Exit|quick_exit" | sort | uniq -c)"
exit $bad
