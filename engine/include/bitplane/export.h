/* SPDX-License-Identifier: Apache-2.0 */
/* What the shared library shows to applications; everything else in it is hidden. */
#ifndef BITPLANE_EXPORT_H
#define BITPLANE_EXPORT_H

#ifdef __GNUC__
#define BITPLANE_API __attribute__((visibility("default")))
#define BITPLANE_HIDDEN __attribute__((visibility("hidden")))
#else
#define BITPLANE_API
#define BITPLANE_HIDDEN
#endif

#endif
