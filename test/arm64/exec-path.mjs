// Preloaded by run.sh: child processes start through the emulator too.
process.execPath = process.env.TILEPIPE_ARM64_LAUNCHER;
