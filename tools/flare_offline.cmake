# Lets the unmodified mir-flare 1.4.0 source configure from installed packages instead of downloads.
# CMake includes this file right after `project(flare)`, through -DCMAKE_PROJECT_flare_INCLUDE.
# FLARE_EIGEN_DIR, FLARE_JSON_DIR and pybind11_DIR say where the headers of the Python packages lie.
cmake_minimum_required(VERSION 3.24)

find_path(FLARE_EIGEN_DIR Eigen/Core PATH_SUFFIXES eigen3 REQUIRED)
find_path(FLARE_JSON_DIR nlohmann/json.hpp REQUIRED)
set(stand_ins "${CMAKE_BINARY_DIR}/stand_ins")

# Eigen comes by ExternalProject. A module of that name on our path is found before CMake's own;
# FLARE asks it for one property only, the folder of the headers.
file(WRITE "${stand_ins}/modules/ExternalProject.cmake" "
function(ExternalProject_Add name)
  add_custom_target(\${name})
endfunction()
macro(ExternalProject_Get_Property name property)
  set(\${property} \"${FLARE_EIGEN_DIR}\")
endmacro()
")
list(PREPEND CMAKE_MODULE_PATH "${stand_ins}/modules")

# JSON and GoogleTest come by FetchContent, which takes a folder that is named beforehand.
file(WRITE "${stand_ins}/json/CMakeLists.txt" "
add_library(nlohmann_json INTERFACE)
target_include_directories(nlohmann_json INTERFACE \"${FLARE_JSON_DIR}\")
add_library(nlohmann_json::nlohmann_json ALIAS nlohmann_json)
")
file(WRITE "${stand_ins}/googletest/CMakeLists.txt" "")
set(FETCHCONTENT_SOURCE_DIR_JSON "${stand_ins}/json")
set(FETCHCONTENT_SOURCE_DIR_GOOGLETEST "${stand_ins}/googletest")

# pybind11 comes by FetchContent too, and has a package file to be found.
set(FETCHCONTENT_TRY_FIND_PACKAGE_MODE ALWAYS)

# The C++ unit tests would need the real GoogleTest.
macro(add_subdirectory folder)
  if(NOT "${folder}" STREQUAL "ctests")
    _add_subdirectory(${folder} ${ARGN})
  endif()
endmacro()
