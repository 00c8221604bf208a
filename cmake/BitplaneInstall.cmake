# SPDX-License-Identifier: Apache-2.0
# Component `engine`: the headers, libbitplane.a, the CMake package and bitplane.pc. Component `shared`: libbitplane.so.
# Component `commands`: the programs.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(BITPLANE_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/bitplane)

install(TARGETS bitplane EXPORT bitplane COMPONENT engine ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(BITPLANE_SHARED)
  install(TARGETS bitplane_shared EXPORT bitplane-shared COMPONENT shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT bitplane-shared NAMESPACE bitplane:: FILE bitplane-shared-targets.cmake COMPONENT shared
          DESTINATION ${BITPLANE_PACKAGE_DIR})
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/engine/include/bitplane COMPONENT engine
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT bitplane NAMESPACE bitplane:: FILE bitplane-targets.cmake COMPONENT engine
        DESTINATION ${BITPLANE_PACKAGE_DIR})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/bitplane-config.cmake.in bitplane-config.cmake
                              INSTALL_DESTINATION ${BITPLANE_PACKAGE_DIR} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(bitplane-config-version.cmake COMPATIBILITY SameMinorVersion)

# The prefix is found from where the .pc file lies, so that an installed tree can be moved; not where the libraries'
# folder is absolute. Absolute folders do not lie below the prefix.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(BITPLANE_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH prefix_from_pc /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  set(BITPLANE_PC_PREFIX "\${pcfiledir}/${prefix_from_pc}")
endif()
foreach(folder LIBDIR INCLUDEDIR)
  set(BITPLANE_PC_${folder} "${CMAKE_INSTALL_${folder}}")
  if(NOT IS_ABSOLUTE "${BITPLANE_PC_${folder}}")
    string(PREPEND BITPLANE_PC_${folder} "\${prefix}/")
  endif()
endforeach()
configure_file(${PROJECT_SOURCE_DIR}/cmake/bitplane.pc.in bitplane.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/bitplane.pc COMPONENT engine DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${PROJECT_BINARY_DIR}/bitplane-config.cmake ${PROJECT_BINARY_DIR}/bitplane-config-version.cmake
        COMPONENT engine DESTINATION ${BITPLANE_PACKAGE_DIR})
foreach(component engine shared commands)
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/third_party/NOTICES COMPONENT ${component}
          DESTINATION ${CMAKE_INSTALL_DOCDIR})
endforeach()

if(BITPLANE_CLI)
  install(TARGETS bitplane_command COMPONENT commands RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(BITPLANE_TRAINER)
  install(TARGETS trainer_command COMPONENT commands RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
