"""The command line. Modules import what is heavy inside their functions, so that help is quick."""
