/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/trim.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* The kernel maps whole neighbourhoods of each page that is touched: in a static program, soon all
 * of it. Only segments that nobody can have written to are let go. */
static void let_go(const struct dl_phdr_info *info, const ElfW(Phdr) * segment, uintptr_t page)
{
	uintptr_t start = info->dlpi_addr + segment->p_vaddr;
	uintptr_t end = (start + segment->p_memsz) & ~(page - 1);

	start = (start + page - 1) & ~(page - 1);
	if (start < end)
		madvise((void *)start, end - start, MADV_DONTNEED);
}

/* The first object is the program itself. */
static int on_object(struct dl_phdr_info *info, size_t size, void *context)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size;
	(void)context;
	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD && !(info->dlpi_phdr[i].p_flags & PF_W))
			let_go(info, &info->dlpi_phdr[i], page);
	return 1;
}

void trim(void)
{
	malloc_trim(0);
	dl_iterate_phdr(on_object, NULL);
}
