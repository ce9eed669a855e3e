#include "pair_allegro.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"
#include "utils.h"

using namespace LAMMPS_NS;

PairAllegro::PairAllegro(LAMMPS *lmp) : Pair(lmp)
{
  one_coeff = 1;    // LAMMPS itself refuses all but `pair_coeff * *`
  manybody_flag = 1;
  single_enable = 0;
  restartinfo = 0;                 // pair_style and pair_coeff are given again after read_restart
  no_virial_fdotr_compute = 1;     // the model gives the virial itself
  centroidstressflag = CENTROID_NOTAVAIL;
}

PairAllegro::~PairAllegro()
{
  if (allocated) {
    memory->destroy(setflag);
    memory->destroy(cutsq);
  }
}

void PairAllegro::settings(int narg, char **)
{
  if (narg) error->all(FLERR, "pair_style allegro takes no arguments; the model is named by pair_coeff.");
}

void PairAllegro::coeff(int narg, char **arg)
{
  if (narg < 4)
    error->all(FLERR, "pair_style allegro takes `pair_coeff * * model.nequip.pt2 Li P S Cl`.");
  if (narg - 3 != atom->ntypes)
    error->all(FLERR, "pair_coeff names {} species for {} atom types: name the element of each type, in order.",
               narg - 3, atom->ntypes);
  std::string complaint;
  try {
    model = std::make_unique<seireact::CompiledModel>(arg[2], rank_on_this_computer(), comm->nthreads);
  } catch (const seireact::ModelError &failure) {
    complaint = failure.what();
  }
  stop_if_any(complaint);
  map_types(narg - 3, arg + 3);
  if (!allocated) allocate();
  utils::logmesg(lmp, "Allegro model {}: cutoff {:g} Angstrom, {}, on {}\n", arg[2], model->card.r_max_ang,
                 model->card.dtype, model->card.device);
}

/// Fills model_type and tells it in the log.
void PairAllegro::map_types(int n_names, char **names)
{
  const auto &species = model->card.species;
  std::string known;
  for (const auto &name : species) known += (known.empty() ? "" : ", ") + name;
  model_type.assign(1, -1);
  std::string told;
  for (int i = 0; i < n_names; ++i) {
    const auto found = std::find(species.begin(), species.end(), names[i]);
    if (found == species.end())
      error->all(FLERR,
                 "pair_coeff names {}, but the model knows {} only: train a model that has seen it, or mend the line.",
                 names[i], known);
    model_type.push_back(found - species.begin());
    told += fmt::format(" {} = {} = {}{}", i + 1, names[i], model_type.back(), i + 1 < n_names ? "," : "\n");
  }
  utils::logmesg(lmp, "Type mapping (LAMMPS = name = model):" + told);
}

void PairAllegro::allocate()
{
  const int size = atom->ntypes + 1;
  memory->create(setflag, size, size, "pair:setflag");
  memory->create(cutsq, size, size, "pair:cutsq");
  for (int i = 1; i < size; ++i)
    for (int j = 1; j < size; ++j) setflag[i][j] = 1;
  allocated = 1;
}

void PairAllegro::init_style()
{
  if (std::strcmp(update->unit_style, "metal") != 0)
    error->all(FLERR, "pair_style allegro gives eV and Angstrom: write `units metal`.");
  if (!force->newton_pair)
    error->all(FLERR, "pair_style allegro needs `newton on`: forces on ghost atoms are sent back to their owners.");
  // Both take pairs out of the list, and a missing neighbour changes the energy of all atoms around it.
  if (neighbor->nex_type || neighbor->nex_group || neighbor->nex_mol)
    error->all(FLERR, "pair_style allegro needs all neighbors: remove `neigh_modify exclude`.");
  if (atom->molecular != Atom::ATOMIC)
    error->all(FLERR, "pair_style allegro needs an atom_style without bonds, as `atom_style atomic`.");
  neighbor->add_request(this, NeighConst::REQ_FULL);
}

double PairAllegro::init_one(int, int)
{
  return model->card.r_max_ang;
}

void PairAllegro::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  if (vflag_atom) error->all(FLERR, "An Allegro model has no virial of single atoms: no compute stress/atom.");
  seireact::Answer answer{{}, {}, {}};
  std::string complaint;
  double energy = 0.0;
  if (atom->nlocal) {    // a rank may own nothing but vacuum
    look_around();
    try {
      answer = model->evaluate(around);
      for (int i = 0; i < atom->nlocal; ++i) energy += answer.energies[i];
      double sum = energy;    // a single infinity or NaN shows in the sum
      for (const double component : answer.forces) sum += component;
      if (!std::isfinite(sum))
        complaint = fmt::format("The model gave energies or forces that are not numbers at step {}: atoms came too "
                                "close, or the model is broken.", update->ntimestep);
    } catch (const seireact::ModelError &failure) {
      complaint = failure.what();
    }
  }
  stop_if_any(complaint);

  // LAMMPS itself sends the forces on ghosts back to the atoms they are images of.
  for (std::size_t i = 0; i < answer.forces.size(); ++i) atom->f[i / 3][i % 3] += answer.forces[i];
  if (eflag_global) eng_vdwl += energy;
  if (eflag_atom)
    for (int i = 0; i < atom->nlocal; ++i) eatom[i] += answer.energies[i];
  if (vflag_global) {
    constexpr int order[6][2] = {{0, 0}, {1, 1}, {2, 2}, {0, 1}, {0, 2}, {1, 2}};
    for (int k = 0; k < 6; ++k) virial[k] += answer.virial[order[k][0]][order[k][1]];
  }
}

/// Collects the atoms of this rank, its ghosts, and the pairs within the cutoff; LAMMPS's list holds its skin, too.
void PairAllegro::look_around()
{
  const double cutoff_squared = model->card.r_max_ang * model->card.r_max_ang;
  const double *const *const x = atom->x;
  around.n_atoms = atom->nlocal + atom->nghost;
  around.positions = x[0];
  around.types.resize(around.n_atoms);
  for (int64_t i = 0; i < around.n_atoms; ++i) around.types[i] = model_type[atom->type[i]];
  around.centres.clear();
  around.neighbours.clear();
  for (int k = 0; k < list->inum; ++k) {
    const int i = list->ilist[k];
    for (int n = 0; n < list->numneigh[i]; ++n) {
      const int j = list->firstneigh[i][n] & NEIGHMASK;
      const double dx = x[j][0] - x[i][0], dy = x[j][1] - x[i][1], dz = x[j][2] - x[i][2];
      if (dx * dx + dy * dy + dz * dz > cutoff_squared) continue;
      around.centres.push_back(i);
      around.neighbours.push_back(j);
    }
  }
}

int PairAllegro::rank_on_this_computer() const
{
  MPI_Comm here;
  int rank;
  MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, comm->me, MPI_INFO_NULL, &here);
  MPI_Comm_rank(here, &rank);
  MPI_Comm_free(&here);
  return rank;
}

/// Ends all ranks together with the sentence of the first that has one; all ranks call it.
void PairAllegro::stop_if_any(const std::string &complaint)
{
  int mine = complaint.empty() ? comm->nprocs : comm->me, first;
  MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, world);
  if (first == comm->nprocs) return;
  int size = static_cast<int>(complaint.size());
  MPI_Bcast(&size, 1, MPI_INT, first, world);
  std::string sentence = complaint;
  sentence.resize(size);
  MPI_Bcast(sentence.data(), size, MPI_CHAR, first, world);
  error->all(FLERR, sentence);
}
