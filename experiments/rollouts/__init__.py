"""The study of long rollouts: heat and advection-diffusion, step after step."""
